package cluster_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// held is how long the migration of the next release stays in its transaction.
const held = 30 * time.Second

// nextRelease is a migration as the next release may have it: it expands the schema, and takes the lock that readers wait for
// last.
const nextRelease = `
	CREATE TABLE catalog.labels (product_id uuid PRIMARY KEY REFERENCES catalog.products (id), label text NOT NULL);
	CREATE INDEX labels_label_idx ON catalog.labels (label);
	INSERT INTO catalog.labels (product_id, label) SELECT id, name FROM catalog.products;
	GRANT SELECT ON catalog.labels TO hp_catalog;
	SELECT pg_sleep(30);
	ALTER TABLE catalog.products ADD COLUMN color text;`

// migrationUnderLoad changes the schema under the running services, in a transaction that stays open for a while. They serve
// all the time. The schema is newer than theirs from then on.
func migrationUnderLoad(t *testing.T, i installation) {
	p := i.gateway(t)
	s := p.newShop(t, p.login(t, adminEmail, i.password(t)))
	// The autoscaler may still remove pods of the step before, and add some under this load: only pods that serve now count.
	before := i.pods(t)
	database := i.database(t)
	began := time.Now()
	l := underLoad(t, p, s, func() {
		files := releaseFiles(t)
		ended := make(chan error, 1)
		go func() {
			ended <- migrate.UpFrom(context.WithoutCancel(t.Context()), files, database, platformtest.Discard())
		}()
		throughout(t, held-5*time.Second, "every pod stays ready", func() error { return i.stillServe(t, before) })
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if took := time.Since(began); took < held {
		t.Errorf("the migration took %s", took)
	}
	l.flawless(t, "a migration held open for "+held.String())
}

// releaseFiles returns the migrations of this release and the one of the next.
func releaseFiles(t *testing.T) fs.FS {
	t.Helper()
	files := fstest.MapFS{"999999_next_release.up.sql": &fstest.MapFile{Data: []byte(nextRelease)}}
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

// pod is the state of a pod: whether it is "True" or "False" that it is ready, and the restarts of its containers.
type pod struct{ ready, restarts string }

// pods returns the pods of the services by name, without those that are being removed.
func (i installation) pods(t *testing.T) map[string]pod {
	t.Helper()
	lines := i.run(t, "get", "pods", "-l", "app.kubernetes.io/component in ("+strings.Join(services, ",")+")", "-o",
		`jsonpath={range .items[*]}{.metadata.name};{.status.conditions[?(@.type=="Ready")].status};`+
			`{.status.containerStatuses[*].restartCount};{.metadata.deletionTimestamp}{"\n"}{end}`)
	pods := map[string]pod{}
	for line := range strings.Lines(lines) {
		if state := strings.Split(strings.TrimSpace(line), ";"); len(state) == 4 && state[3] == "" {
			pods[state[0]] = pod{ready: state[1], restarts: state[2]}
		}
	}
	if len(pods) < len(services) {
		t.Fatalf("only these pods: %s", lines)
	}
	return pods
}

// stillServe returns an error unless the pods that were ready before, and are not being removed, are ready and did not restart.
func (i installation) stillServe(t *testing.T, before map[string]pod) error {
	t.Helper()
	for name, now := range i.pods(t) {
		if was, ok := before[name]; ok && was.ready == "True" && now != was {
			return fmt.Errorf("%s is %+v and was %+v", name, now, was)
		}
	}
	return nil
}

// database forwards a local port to the bundled Postgres and returns the URL of the owner.
func (i installation) database(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(i.secret(t, release+"-postgresql", "url"))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = strings.TrimPrefix(i.forward(t, "service/"+release+"-postgresql", "5432"), "http://")
	return u.String()
}
