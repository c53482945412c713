package config_test

import (
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// A value that cannot be read is answered in words, not in those of strconv.
func TestValuesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	var target struct {
		Port int16 `env:"PORT"`
		On   bool  `env:"ON"`
	}
	for value, want := range map[string]string{
		"PORT=http": `PORT: must be a number, not "http"`, "PORT=99999": "PORT: 99999 is too large or too small", "ON=maybe": `ON: must be true or false, not "maybe"`,
	} {
		err := config.Load(t.Context(), &target, config.Environ([]string{value}, ""))
		if err == nil || err.Error() != want || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}
