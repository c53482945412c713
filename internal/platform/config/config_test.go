package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

type nested struct {
	Size    int           `env:"SIZE, default=5"`
	Timeout time.Duration `env:"TIMEOUT, default=3s"`
}

func (n *nested) Validate() error {
	if n.Size > 10 {
		return fmt.Errorf("SIZE: must be at most 10, not %d", n.Size)
	}
	return nil
}

type settings struct {
	nested
	Name     string        `env:"NAME, required"`
	Password config.Secret `env:"PASSWORD, required"`
	URL      config.URL    `env:"URL"`
	Level    slog.Level    `env:"LEVEL, default=info"`
	List     []string      `env:"LIST"`
	Other    nested        `env:", prefix=OTHER_"`
}

func TestLoad(t *testing.T) {
	t.Parallel()
	var got settings
	environ := []string{
		"NAME=n", "PASSWORD=p", "URL=postgres://u:secret@h/db", "LEVEL=warn", "LIST=a,b", "SIZE=7",
		"OTHER_SIZE=8", "X_NAME=prefixed",
	}
	if err := config.Load(t.Context(), &got, config.Environ(environ, "X_")); err != nil {
		t.Fatal(err)
	}
	want := settings{
		nested: nested{Size: 7, Timeout: 3 * time.Second},
		Name:   "prefixed", Password: "p", URL: "postgres://u:secret@h/db", Level: slog.LevelWarn, List: []string{"a", "b"},
		Other: nested{Size: 8, Timeout: 3 * time.Second},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	var got settings
	err := config.Load(t.Context(), &got, config.Environ([]string{"SIZE=many", "TIMEOUT=soon", "LEVEL=loud"}, ""))
	for _, want := range []string{"SIZE: ", "TIMEOUT: ", "NAME: required", "PASSWORD: required", "LEVEL: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestLoadValidatesNestedStructs(t *testing.T) {
	t.Parallel()
	var got settings
	err := config.Load(t.Context(), &got, config.Environ([]string{"NAME=n", "PASSWORD=p", "SIZE=11", "OTHER_SIZE=12"}, ""))
	for _, want := range []string{"not 11", "not 12"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
}

func TestLoadReadsSecretsFromFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got settings
	if err := config.Load(t.Context(), &got, config.Environ([]string{"NAME=n", "PASSWORD_FILE=" + path}, "")); err != nil {
		t.Fatal(err)
	}
	if got.Password != "from file" {
		t.Errorf("Password = %q", string(got.Password))
	}

	err := config.Load(t.Context(), &got, config.Environ([]string{"NAME=n", "PASSWORD_FILE=" + path + ".gone"}, ""))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "PASSWORD_FILE") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	cfg := settings{Name: "n", Password: "hush", URL: "postgres://u:hush@h/db?sslpassword=hush"}
	var dump, log strings.Builder
	if err := config.Dump(&dump, &cfg); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "password", cfg.Password, "url", cfg.URL)
	for what, text := range map[string]string{
		"dump": dump.String(), "log": log.String(), "%v": fmt.Sprintf("%v", cfg), "%#v": fmt.Sprintf("%#v", cfg),
		"unparsable URL": config.URL("postgres://u:hush@h:port:x/%zz").String(),
	} {
		if strings.Contains(text, "hush") {
			t.Errorf("%s shows a secret: %s", what, text)
		}
	}
	if !strings.Contains(dump.String(), "NAME=n\n") || !strings.Contains(dump.String(), "OTHER_SIZE=0\n") {
		t.Errorf("dump lacks values:\n%s", dump.String())
	}
}
