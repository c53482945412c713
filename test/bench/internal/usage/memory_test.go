package usage

import (
	"math"
	"os"
	"testing"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		samples []int
		peak    int
		grew    float64
	}{
		"flat":        {[]int{2048, 2048, 2048, 2048}, 2, 0},
		"a peak":      {[]int{1024, 1024, 9216, 9216, 1024, 1024}, 9, 0},
		"it leaks":    {[]int{1024, 1024, 1536, 1536, 2048, 2048}, 2, 1},
		"one":         {[]int{4096}, 4, 0},
		"it has gone": {[]int{0, 0, 0}, 0, 0},
	} {
		if got := summarize(test.samples); got.Peak != test.peak || math.Abs(got.Grew-test.grew) > 1e-9 || got.First > got.Peak || got.Grew == 1 && got.Last != 2*got.First {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if m := Watch(os.Getpid())(); m.Peak < 2 {
		t.Errorf("this process takes %+v", m)
	}
}
