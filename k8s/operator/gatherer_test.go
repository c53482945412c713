package operator

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestUnionKeepsFirstFamily(t *testing.T) {
	t.Parallel()
	gauge := func(name string, value float64) prometheus.Collector {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "Test."})
		g.Set(value)
		return g
	}
	first, second := prometheus.NewRegistry(), prometheus.NewRegistry()
	first.MustRegister(gauge("both", 1), gauge("z_first", 1), collectors.NewGoCollector())
	second.MustRegister(gauge("both", 2), gauge("a_second", 2), collectors.NewGoCollector())
	const want = `
# HELP a_second Test.
# TYPE a_second gauge
a_second 2
# HELP both Test.
# TYPE both gauge
both 1
# HELP z_first Test.
# TYPE z_first gauge
z_first 1
`
	if err := testutil.GatherAndCompare(union{first, second}, strings.NewReader(want), "a_second", "both", "z_first"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(union{first, second}, "go_goroutines"); err != nil || n != 1 {
		t.Errorf("go_goroutines appears %d times, %v; want once", n, err)
	}
}
