package backlog_test

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }
