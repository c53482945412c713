package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineInterval is the time between two lines of progress without a terminal.
const lineInterval = 5 * time.Second

// progress shows the progress of a demo: a bar on a terminal, otherwise a line every few seconds. It is safe for concurrent
// use.
type progress struct {
	out      io.Writer
	terminal bool

	mu      sync.Mutex
	bar     *progressbar.ProgressBar // nil when there is no terminal
	phase   string
	done    int
	total   int // 0 when it is unknown
	shown   time.Time
	trouble bool // the last request failed
}

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// begin starts a phase of the demo with a number of steps, 0 if it is unknown.
func (p *progress) begin(phase string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase, p.done, p.total, p.shown = phase, 0, total, time.Now()
	if !p.terminal {
		return
	}
	if total == 0 {
		total = -1 // a spinner
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(phase),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// end ends the phase.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish() // without a terminal there is nothing to show
		p.bar = nil
	}
}

// add reports that n more steps are done.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.bar != nil {
		if p.trouble {
			p.bar.Describe(p.phase)
		}
		_ = p.bar.Add(n)
	} else {
		p.line(fmt.Sprintf("%s of %s", grouped(int64(p.done)), grouped(int64(p.total))))
	}
	p.trouble = false
}

// pending reports how many events the platform has not counted yet.
func (p *progress) pending(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = false
	text := grouped(n) + " events pending"
	if p.bar != nil {
		p.bar.Describe(p.phase + ": " + text)
		_ = p.bar.Add(1)
		return
	}
	p.line(text)
}

// retrying reports that a request is repeated. It prints only the first of several retries.
func (p *progress) retrying(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble {
		return
	}
	p.trouble = true
	if p.bar != nil {
		p.bar.Describe(p.phase + " (retrying: " + shortened(err.Error()) + ")")
		return
	}
	p.shown = time.Time{}
	p.line("retrying: " + shortened(err.Error()))
}

// line prints text unless the last line is too recent.
func (p *progress) line(text string) {
	if time.Since(p.shown) < lineInterval {
		return
	}
	p.shown = time.Now()
	_, _ = fmt.Fprintf(p.out, "  %s: %s\n", p.phase, text)
}

// shortened cuts text that does not fit beside a bar.
func shortened(text string) string {
	const most = 80
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
