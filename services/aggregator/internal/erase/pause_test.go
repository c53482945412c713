package erase

import (
	"testing"
	"time"
)

// While something holds an erasure up, the eraser looks less and less often, until as often as it looks for requests. Once it has moved,
// it begins anew.
func TestTheEraserBacksOffWhileItWaits(t *testing.T) {
	t.Parallel()
	waited := time.Duration(0)
	for i, want := range []time.Duration{poll, 2 * poll, 4 * poll, 8 * poll, look, look} {
		if waited = pauseAfter(Waiting, waited); waited != want {
			t.Errorf("pause %d is %s, want %s", i, waited, want)
		}
	}
	if pause := pauseAfter(Moved, look); pause != 0 {
		t.Errorf("after a move the pause is %s", pause)
	}
	if pause := pauseAfter(Idle, poll); pause != look {
		t.Errorf("without requests the pause is %s", pause)
	}
	if pause := pauseAfter(Waiting, 0); pause != poll {
		t.Errorf("after a move the first pause is %s", pause)
	}
}
