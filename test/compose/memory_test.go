package compose_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestFoldMemory checks that the memory of folds follows the memory limit of the aggregator: a quarter of it, as in the chart.
func TestFoldMemory(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services struct {
			Aggregator struct {
				Environment map[string]string
				Deploy      struct {
					Resources struct{ Limits struct{ Memory string } }
				}
			}
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	aggregator := file.Services.Aggregator
	limit, err := strconv.Atoi(strings.TrimSuffix(aggregator.Deploy.Resources.Limits.Memory, "M"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := aggregator.Environment["AGGREGATOR_FOLD_BYTES"], strconv.Itoa(limit<<20/4) // M means MiB in compose files
	if got != want {
		t.Errorf("AGGREGATOR_FOLD_BYTES is %q, want %s: a quarter of the memory limit of %d MiB", got, want, limit)
	}
}
