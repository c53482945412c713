package pool

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/clustertest"
)

func TestMain(m *testing.M) { platformtest.Main(m, clustertest.Stop) }
