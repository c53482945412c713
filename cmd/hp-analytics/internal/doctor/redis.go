package doctor

import (
	"context"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
)

// oldestRedis is the oldest major version that the platform is tested with.
const oldestRedis = 7

// memoryLow is the part of maxmemory in use from which on Redis is nearly full.
const memoryLow = 0.9

// info returns the fields of a section of INFO. CONFIG GET says more, but managed servers forbid it.
func (s *Site) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := s.Redis.Info(ctx, section).Result()
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

func redisServer(ctx context.Context, s *Site) ([]Finding, error) {
	server, err := s.info(ctx, "server")
	if err != nil {
		return nil, err
	}
	replication, err := s.info(ctx, "replication")
	if err != nil {
		return nil, err
	}
	version := server["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	number, _ := strconv.Atoi(major) // 0 is too old
	switch {
	case number < oldestRedis:
		return checkup.One(checkup.Wrong("upgrade to Redis 7 or newer", "Redis %s is too old", version))
	case replication["role"] != "master":
		return checkup.One(checkup.Wrong("set REDIS_URL to the primary", "Redis %s is a replica: nothing can be cached or enqueued", version))
	case server["redis_mode"] == "cluster":
		return checkup.One(checkup.Wrong("use one node, or a primary with replicas behind one address", "Redis %s is a cluster, which the platform does not support", version))
	}
	return checkup.One(checkup.Fine("Redis %s, a primary", version))
}

func redisMemory(ctx context.Context, s *Site) ([]Finding, error) {
	memory, err := s.info(ctx, "memory")
	if err != nil {
		return nil, err
	}
	policy := memory["maxmemory_policy"]
	used, _ := strconv.ParseFloat(memory["used_memory"], 64) // 0 if Redis does not say
	limit, _ := strconv.ParseFloat(memory["maxmemory"], 64)
	var findings []Finding
	if policy != "noeviction" {
		findings = append(findings, checkup.Wrong("CONFIG SET maxmemory-policy noeviction, also in its configuration",
			"maxmemory-policy is %s: Redis removes tasks when it is full, and folds come late", policy))
	}
	if limit == 0 {
		findings = append(findings, checkup.Warn("CONFIG SET maxmemory 192mb (or half of its memory), also in its configuration",
			"maxmemory is not set: the operating system ends Redis when the memory of its machine is used up"))
	} else if used >= memoryLow*limit {
		findings = append(findings, checkup.Wrong("raise maxmemory, or FLUSHDB: everything in it can be lost",
			"%s of %s are in use: when it is full, nothing is cached or enqueued", checkup.Size(used), checkup.Size(limit)))
	}
	return checkup.OrFine(findings, "%s of %s are in use, maxmemory-policy is %s", checkup.Size(used), checkup.Size(limit), policy)
}

func redisPersistence(ctx context.Context, s *Site) ([]Finding, error) {
	persistence, err := s.info(ctx, "persistence")
	if err != nil {
		return nil, err
	}
	for field, what := range map[string]string{"rdb_last_bgsave_status": "save its data", "aof_last_write_status": "write its log"} {
		if status := persistence[field]; status != "ok" && status != "" {
			return checkup.One(checkup.Wrong("free the disk of Redis; or switch saving off (CONFIG SET save \"\"): nothing in it needs to persist",
				"Redis could not %s the last time: it may refuse all writes", what))
		}
	}
	if persistence["aof_enabled"] == "1" {
		return checkup.One(checkup.Fine("it keeps a log of its writes (AOF), which the platform does not need"))
	}
	return checkup.One(checkup.Fine("its data may be lost, and nothing goes wrong with it"))
}
