package importer

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// lineInterval is the time between two lines of progress without a terminal.
const lineInterval = 5 * time.Second

// progress shows how far a file is: a bar on a terminal, otherwise a line every few seconds. It is safe for concurrent use.
type progress struct {
	out   io.Writer
	name  string
	file  *source.File
	begun time.Time

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil without a terminal
	rows  int64
	shown time.Time
}

func newProgress(out io.Writer, name string, file *source.File) *progress {
	p := &progress{out: out, name: filepath.Base(name), file: file, begun: time.Now(), shown: time.Now()}
	if o, ok := out.(*os.File); ok && term.IsTerminal(int(o.Fd())) {
		p.bar = progressbar.NewOptions64(file.Size,
			progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return p
}

// add reports that n more rows are done.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows += int64(n)
	took := time.Since(p.begun)
	text := fmt.Sprintf("%s: %s rows, %s rows/s", p.name, grouped(p.rows), grouped(int64(float64(p.rows)/max(took.Seconds(), 0.001))))
	if p.bar != nil {
		p.bar.Describe(text)
		_ = p.bar.Set64(p.file.Read()) // what cannot be shown is not worth an end
		return
	}
	if time.Since(p.shown) < lineInterval {
		return
	}
	p.shown = time.Now()
	if read := p.file.Read(); read > 0 && p.file.Size > read {
		left := time.Duration(float64(took) / float64(read) * float64(p.file.Size-read))
		text += fmt.Sprintf(", %d %% read, about %s left", 100*read/p.file.Size, left.Round(time.Second))
	}
	_, _ = fmt.Fprintf(p.out, "  %s\n", text) // as above
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish() // as above
	}
}
