package importer

import "testing"

func TestRejectsPath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"orders.csv":            "orders.rejects.csv",
		"dir.x/orders.csv.gz":   "dir.x/orders.rejects.csv",
		"orders":                "orders.rejects.csv",
		"orders.rejects.csv":    "orders.rejects-2.csv",
		"orders.rejects-2.csv":  "orders.rejects-3.csv",
		"orders.rejects-99.csv": "orders.rejects-100.csv",
		"my.rejects.old.csv":    "my.rejects.old.rejects.csv",
	} {
		if got := (Options{}).rejectsPath(input{name: name}, "csv"); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	if got := (Options{Rejects: "import.rejects"}).rejectsPath(input{name: "-", temporary: true}, "csv"); got != "import.rejects" {
		t.Errorf("standard input has %s", got)
	}
}
