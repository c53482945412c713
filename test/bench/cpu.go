package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat (USER_HZ, which is 100 on every Linux there is).
const tick = 10 * time.Millisecond

// stat is what /proc says of a process.
type stat struct {
	parent int
	cpu    time.Duration // of itself and of the children that it has waited for
}

func processes() map[int]stat {
	all := map[int]stat{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// The name, in parentheses, may hold anything; the fields after it are numbered from 3 in proc(5).
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		number := func(field int) int {
			n, _ := strconv.Atoi(fields[field-3]) // a number by contract
			return n
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		all[pid] = stat{parent: number(4), cpu: time.Duration(number(14)+number(15)+number(16)+number(17)) * tick}
	}
	return all
}

// cpuOf returns the processor time that each process and its descendants have used.
func cpuOf(pids map[string]int) map[string]time.Duration {
	all := processes()
	used := map[string]time.Duration{}
	for pid, s := range all {
		for name, root := range pids {
			for at := pid; at > 1; at = all[at].parent {
				if at == root {
					used[name] += s.cpu
					break
				}
			}
		}
	}
	return used
}

// pids returns the processes whose work is counted.
func (p *platform) pids() map[string]int {
	pids := map[string]int{"postgres": p.postgres.PID(), "redis": p.redis.PID()}
	for name, s := range p.services {
		pids[name] = s.cmd.Process.Pid
	}
	return pids
}

// residentMiB returns the memory of a process.
func residentMiB(pid int) int {
	content, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status")) // 0 for one that has ended
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}
