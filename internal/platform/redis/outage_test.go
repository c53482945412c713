package redis

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutageIsMonotonic checks that the end of an outage has a monotonic reading ("m="), so that a step of the clock neither
// prolongs nor hides it.
func TestOutageIsMonotonic(t *testing.T) {
	t.Parallel()
	var o Outage
	o.Begin()
	if until := o.until.Load().String(); !strings.Contains(until, "m=") {
		t.Errorf("the outage ends at %s", until)
	}
}

func TestOutageEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o Outage
		before := o.Ongoing()
		o.Begin()
		during := o.Ongoing()
		<-time.After(outagePause)
		if before || !during || o.Ongoing() {
			t.Errorf("before %t, during %t, after %t", before, during, o.Ongoing())
		}
	})
}
