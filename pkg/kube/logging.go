package kube

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
	lassolog "github.com/rancher/lasso/pkg/log"
	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

// BridgeLogs sends what the frameworks log (Lasso, logrus in Wrangler and
// dynamiclistener, klog in client-go) to logger. It changes state of the whole
// process and is called once, before anything else is started.
func BridgeLogs(logger *slog.Logger) {
	framework := logger.With("framework", true)

	lassolog.Infof = func(message string, args ...any) { framework.Debug(fmt.Sprintf(message, args...)) }  //nolint:sloglint // the message is the framework's own
	lassolog.Debugf = func(message string, args ...any) { framework.Debug(fmt.Sprintf(message, args...)) } //nolint:sloglint // as above
	lassolog.Errorf = func(message string, args ...any) { framework.Warn(fmt.Sprintf(message, args...)) }  //nolint:sloglint // as above

	logrus.SetOutput(io.Discard)
	logrus.AddHook(&logrusHook{logger: framework})

	klog.SetLogger(logr.FromSlogHandler(framework.Handler()))
}

// logrusHook repeats what logrus is told to an slog logger.
type logrusHook struct{ logger *slog.Logger }

// Levels implements logrus.Hook: all of them.
func (*logrusHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook.
func (h *logrusHook) Fire(entry *logrus.Entry) error {
	level := slog.LevelDebug

	switch entry.Level {
	case logrus.PanicLevel, logrus.FatalLevel, logrus.ErrorLevel:
		level = slog.LevelError
	case logrus.WarnLevel:
		level = slog.LevelWarn
	default:
	}

	attributes := make([]any, 0, 2*len(entry.Data))
	for key, value := range entry.Data {
		attributes = append(attributes, key, value)
	}

	h.logger.Log(context.Background(), level, strings.TrimSpace(entry.Message), attributes...) //nolint:forbidigo,sloglint // a hook is given no context

	return nil
}
