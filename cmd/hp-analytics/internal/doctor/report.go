package doctor

import (
	"encoding/json"
	"fmt"
	"io"
)

// Worst returns the worst level of findings, OK without any.
func Worst(findings []Finding) Level {
	worst := OK
	for _, f := range findings {
		if f.Level == Problem || f.Level == Warning && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// marks are how a person sees the levels.
var marks = map[Level]string{OK: "ok      ", Warning: "warning ", Problem: "PROBLEM "}

// Write prints findings for people, grouped by area.
func Write(w io.Writer, findings []Finding) error {
	area := ""
	counts := map[Level]int{}
	for _, f := range findings {
		counts[f.Level]++
		if f.Area != area {
			area = f.Area
			if _, err := fmt.Fprintln(w, area); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("  %s%s: %s\n", marks[f.Level], f.Check, f.Says)
		if f.Do != "" {
			text += "          → " + f.Do + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d ok, %d to look at, %d wrong.\n", counts[OK], counts[Warning], counts[Problem])
	return err
}

// WriteJSON prints {"status": the worst level, "findings": […]}.
func WriteJSON(w io.Writer, findings []Finding) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Status   Level     `json:"status"`
		Findings []Finding `json:"findings"`
	}{Worst(findings), findings})
}
