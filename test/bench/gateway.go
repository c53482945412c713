package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hp-analytics/hp-analytics/test/internal/deployment"
)

// gateway is nginx in front of the services.
type gateway struct {
	*deployment.Process
	url string
}

// startGateway starts nginx with the configuration of the compose stack. Addresses and directories are those of this run, and
// the limits for each client are lifted, because one client sends everything. The access log is formatted, and written to
// /dev/null.
func (p *platform) startGateway(ctx context.Context, root string) (*gateway, error) {
	program, err := findNginx()
	if err != nil {
		return nil, err
	}
	address, err := deployment.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(p.Dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nginx runs its workers as an unprivileged user
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	compose, err := os.ReadFile(filepath.Join(root, "infra/compose/nginx/nginx.conf"))
	if err != nil {
		return nil, fmt.Errorf("read the configuration of nginx: %w", err)
	}
	services := map[string]string{}
	for _, name := range []string{"auth", "catalog", "ingest", "analytics"} {
		parsed, err := url.Parse(p.Service(name).URL())
		if err != nil {
			return nil, fmt.Errorf("the address of %s: %w", name, err)
		}
		services[name] = parsed.Host
	}
	files := map[string]string{"nginx.conf": localConfig(string(compose), dir, address, services)}
	for _, name := range []string{"http.conf", "server.conf", "upstream.conf"} {
		content, err := os.ReadFile(filepath.Join(root, "charts/hp-analytics/files/nginx", name))
		if err != nil {
			return nil, fmt.Errorf("read the configuration of nginx: %w", err)
		}
		files[name] = localConfig(string(content), dir, address, nil)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil { //nolint:gosec // nothing secret
			return nil, fmt.Errorf("write the configuration of nginx: %w", err)
		}
	}
	g := &gateway{url: "http://" + address, Process: deployment.NewProcess(deployment.Command{
		Program: program, Args: []string{"-p", dir, "-c", filepath.Join(dir, "nginx.conf")}, Log: filepath.Join(p.Dir, "nginx.log"),
	})}
	if err := g.Start(ctx); err != nil {
		return nil, err
	}
	return g, g.AwaitSuccess(ctx, g.url+"/health")
}

// findNginx looks in /usr/sbin as well, which is not in the path of every user.
func findNginx() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find nginx (install the package nginx, or leave out reads with -tables): %w", exec.ErrNotFound)
}

// localConfig turns a configuration of the compose stack into one for this machine.
func localConfig(config, dir, address string, services map[string]string) string {
	replacements := []string{
		"include shared/", "include " + dir + "/", "/tmp/", dir + "/", "/dev/stdout", "/dev/null", "listen  8080", "listen " + address,
		"rate=300r/s", "rate=1000000r/s", "limit_conn client         500", "limit_conn client 60000",
	}
	for name, host := range services {
		replacements = append(replacements, name+":8080;", host+";")
	}
	return strings.NewReplacer(replacements...).Replace(config)
}
