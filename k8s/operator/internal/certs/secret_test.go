package certs

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/clustertest"
)

func TestMain(m *testing.M) { platformtest.Main(m, clustertest.Stop) }

// Replicas that start at the same time use the same certificate, also in their files.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	cluster := clustertest.Get(t)
	name := types.NamespacedName{Namespace: cluster.Namespace(t), Name: "operator-tls"}
	cluster.Create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Data:       map[string][]byte{"kept": []byte("by others")},
	})
	const replicas = 5
	dirs := make([]string, replicas)
	var wg sync.WaitGroup
	for i := range replicas {
		dirs[i] = t.TempDir()
		wg.Go(func() {
			source := &Secret{Client: cluster.Client, Name: name, DNSNames: names, Dir: dirs[i], Now: time.Now}
			material, err := source.Load(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			verify(t, material.CA, material.Cert, time.Now())
		})
	}
	wg.Wait()

	var secret corev1.Secret
	if err := cluster.Client.Get(t.Context(), name, &secret); err != nil {
		t.Fatal(err)
	}
	if string(secret.Data["kept"]) != "by others" {
		t.Error("other keys of the Secret were removed")
	}
	for _, dir := range dirs {
		for _, file := range []string{keyCert, keyKey} {
			content, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil || string(content) != string(secret.Data[file]) {
				t.Errorf("%s of a replica is not the Secret's (%v)", file, err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, keyCAKeys)); err == nil {
			t.Error("the key of the authority was written to disk")
		}
	}
}

func TestMissingSecret(t *testing.T) {
	t.Parallel()
	cluster := clustertest.Get(t)
	source := &Secret{
		Client: cluster.Client, Name: types.NamespacedName{Namespace: cluster.Namespace(t), Name: "none"},
		DNSNames: names, Dir: t.TempDir(), Now: time.Now,
	}
	if _, err := source.Load(t.Context()); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the error is %v, want that there is none", err)
	}
}
