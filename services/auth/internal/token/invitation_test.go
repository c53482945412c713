package token

import (
	"strings"
	"testing"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	good := NewInvitation()
	for text, want := range map[string]bool{
		good: true, good + "0": false, good[1:]: false, "": false, strings.Repeat("x", len(good)): false,
		good[:10] + "\x00" + good[11:]: false, good[:len(good)-8] + "00000000": false, NewSecret(): false,
	} {
		if IsInvitation(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
	if NewInvitation() == good {
		t.Error("two invitations have the same token")
	}
}
