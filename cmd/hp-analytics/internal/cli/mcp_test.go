package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// An assistant starts the program, lists its tools, is told that the platform does not answer, and ends the program by closing its input.
func TestMCP(t *testing.T) {
	t.Parallel()
	command := exec.Command(os.Args[0], "mcp", "--url", "http://127.0.0.1:1")
	command.Env = append(os.Environ(), asProgram+"=1", "API_KEY=hpa_test")
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: command}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) == 0 || session.InitializeResult().Instructions == "" {
		t.Errorf("%v: %d tools", err, len(tools.Tools))
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "overview"})
	if err != nil {
		t.Fatal(err)
	}
	if text := result.Content[0].(*mcp.TextContent).Text; !result.IsError || !strings.Contains(text, "cannot be reached") || strings.Contains(text, "hpa_test") {
		t.Errorf("%v %q", result.IsError, text)
	}
	if err := session.Close(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
	if code, output := run(t, []string{"mcp"}); code != exitUsage || !strings.Contains(output, "API_KEY") {
		t.Errorf("without a key: %d %s", code, output)
	}
}
