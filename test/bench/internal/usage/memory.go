package usage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Memory summarizes the resident memory of a process over a period.
type Memory struct {
	Peak  int     // MiB
	First int     // MiB, mean of the first third
	Last  int     // MiB, mean of the last third
	Grew  float64 // Last over First, minus one
}

// sampleInterval is the time between two samples of memory.
const sampleInterval = 100 * time.Millisecond

// Watch samples the memory of a process until the function that it returns is called.
func Watch(pid int) (stop func() Memory) {
	end, result := make(chan struct{}), make(chan Memory)
	go func() {
		ticker := time.NewTicker(sampleInterval)
		defer ticker.Stop()
		samples := []int{residentKiB(pid)}
		for {
			select {
			case <-ticker.C:
				samples = append(samples, residentKiB(pid))
			case <-end:
				result <- summarize(append(samples, residentKiB(pid)))
				return
			}
		}
	}()
	return func() Memory {
		close(end)
		return <-result
	}
}

func summarize(samples []int) Memory {
	peak := 0
	for _, kib := range samples {
		peak = max(peak, kib)
	}
	third := max(1, len(samples)/3)
	first, last := mean(samples[:third]), mean(samples[len(samples)-third:])
	if first == 0 {
		return Memory{Peak: peak >> 10}
	}
	return Memory{Peak: peak >> 10, First: int(first) >> 10, Last: int(last) >> 10, Grew: last/first - 1}
}

func mean(of []int) (m float64) {
	for _, n := range of {
		m += float64(n) / float64(len(of))
	}
	return m
}

// residentKiB returns 0 for a process that has exited.
func residentKiB(pid int) int {
	content, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	return 0
}
