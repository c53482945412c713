package cli

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// ofAsynq matches what Asynq keeps of all queues together: their names and, for its command line, the processes of workers.
var ofAsynq = regexp.MustCompile(`^asynq:(queues|(servers|workers)(:\{.*\})?)$`)

// TestTwoInstallationsOnOneRedis uses every operation of two platforms with databases of their own.
func TestTwoInstallationsOnOneRedis(t *testing.T) {
	t.Parallel()
	cache := redistest.New(t)
	var urls, dirs, identities, queues []string
	for range 2 {
		database, dir := dbtest.New(t), dataDir(t)
		_, url := up(t, "DATA_DIR="+dir, "PORT=0", "DATABASE_URL="+database.URL(), "REDIS_URL="+string(cache.URL))
		identity, err := postgres.Identity(database.Pool("hp_ingest"))(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		urls, dirs, identities = append(urls, url), append(dirs, dir), append(identities, identity)
		queues = append(queues, protocol.BatchReady.Queue+"."+identity)
	}
	const top = "/analytics/products/top?metric=views"
	exerciseContract(t, urls[0], dirs[0])
	first := visit(t, urls[0], dirs[0])
	// The first one's cache now holds its ranking, under a name that the second one also uses.
	platformtest.Eventually(t, time.Minute, "the event is in the ranking", func() bool {
		return strings.Contains(string(first.send(http.StatusOK, http.MethodGet, top, "")), "CAP-1")
	})
	second := visit(t, urls[1], dirs[1])
	if got := string(second.send(http.StatusOK, http.MethodGet, top, "")); strings.Contains(got, "CAP-1") {
		t.Errorf("the second installation has no events, and answers %s", got)
	}
	exerciseContract(t, urls[1], dirs[1])

	client := redistest.Client(t, cache)
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for i, identity := range identities {
		if !slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "hpa:"+identity+":") }) {
			t.Errorf("installation %d has no key: the check below would prove nothing", i)
		}
		if !client.SIsMember(t.Context(), "asynq:queues", queues[i]).Val() {
			t.Errorf("installation %d has no queue", i)
		}
	}
	for _, key := range keys {
		apart := slices.ContainsFunc(identities, func(identity string) bool { return strings.Contains(key, identity) })
		if !apart && !ofAsynq.MatchString(key) {
			t.Errorf("the key %q does not say whose it is", key)
		}
	}
	if names := client.SMembers(t.Context(), "asynq:queues").Val(); len(names) != len(queues) {
		t.Errorf("the queues are %v", names)
	}
}

// visit logs in as the admin of a platform.
func visit(t *testing.T, url, dir string) *visitor {
	t.Helper()
	admin, found, err := readLogin(dir)
	if err != nil || !found {
		t.Fatalf("the admin's login: %t, %v", found, err)
	}
	v := &visitor{t: t, url: url, client: http.DefaultClient}
	v.token = v.do(http.StatusOK, http.MethodPost, "/auth/login", `{"email":"`+admin.Email+`","password":"`+admin.Password+`"}`, "access_token")
	return v
}
