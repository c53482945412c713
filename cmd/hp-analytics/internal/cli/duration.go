package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// duration is a flag for a length of time: a number of days such as 90d, or what time.ParseDuration accepts.
type duration time.Duration

// String implements pflag.Value. The zero value is no default.
func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

// Type implements pflag.Value.
func (*duration) Type() string { return "duration" }

// maxDays is about the longest time.Duration.
const maxDays = 100_000

// Set implements pflag.Value.
func (d *duration) Set(text string) error {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < -maxDays || n > maxDays {
			return fmt.Errorf("must be a whole number of days up to %d, such as 90d, not %q", maxDays, text)
		}
		*d = duration(n) * duration(24*time.Hour)
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("must be a time such as 90d or 36h, not %q", text)
	}
	*d = duration(parsed)
	return nil
}
