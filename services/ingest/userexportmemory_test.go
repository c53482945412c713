package ingest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"
)

// sampler counts what passes it, and how much memory is in use from time to time.
type sampler struct {
	total, next int64
	most        uint64
}

func (s *sampler) Write(p []byte) (int, error) {
	s.total += int64(len(p))
	if s.total >= s.next {
		s.next += 8 << 20
		s.most = max(s.most, heap())
	}
	return len(p), nil
}

// heap returns how many bytes are reachable.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An export of 60 MB takes a fraction of it in memory. It runs apart from other tests, whose memory it would measure.
func TestExportOfAUserInBoundedMemory(t *testing.T) { //nolint:paralleltest // see above
	p := start(t)
	p.fat(time.Now().UTC().AddDate(0, 0, -1))
	owner := p.apiKey("admin")
	server := httptest.NewServer(p.routes)
	defer server.Close()
	p.url = server.URL
	before := heap()
	response := p.export("/users/fat/export", owner, "*/*")
	defer response.Body.Close()
	var read sampler
	if _, err := io.Copy(&read, response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.StatusCode, err)
	}
	const exported, most = 60_000_000, 20 << 20 // a part of 250 events of 20 kB, as they are read and as they are written
	if read.total < exported {
		t.Errorf("only %d bytes were exported", read.total)
	}
	if grown := int64(read.most) - int64(before); grown > most {
		t.Errorf("%d bytes more are in use while it runs", grown)
	} else {
		t.Logf("%d bytes more are in use while %d are exported", grown, read.total)
	}
}
