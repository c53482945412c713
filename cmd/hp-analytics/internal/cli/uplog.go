package cli

import (
	"context"
	"log/slog"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

const (
	// logMegabytes is the size at which the log file is renamed and a new one begins.
	logMegabytes = 50
	// logBackups is how many renamed files are kept, so the logs take 200 MB at most.
	logBackups = 3
)

// upLogger returns a logger that shows errors on the console and writes everything from info up to a file in the data
// directory. Runs continue the file of the run before.
func (e environment) upLogger(ctx context.Context, dir string) (*slog.Logger, func(), error) {
	console := struct {
		Level slog.Level `env:"LOG_LEVEL, default=error"`
	}{}
	if err := e.load(ctx, &console); err != nil {
		return nil, nil, err
	}
	file := rotatingLog(dir, logMegabytes)
	log := telemetry.NewBuffer(file)
	logger := slog.New(slog.NewMultiHandler(
		telemetry.NewLogger(e.stderr, telemetry.LogConfig{Level: console.Level, Format: "text"}).Handler(),
		telemetry.NewLogger(log, telemetry.LogConfig{Level: min(console.Level, slog.LevelInfo), Format: "json"}).Handler(),
	))
	return logger, func() { log.Flush(); _ = file.Close() }, nil
}

// rotatingLog returns the log file of a data directory. It is made with mode 0600 by the first write.
func rotatingLog(dir string, megabytes int) *lumberjack.Logger {
	return &lumberjack.Logger{Filename: filepath.Join(dir, "hp-analytics.log"), MaxSize: megabytes, MaxBackups: logBackups}
}
