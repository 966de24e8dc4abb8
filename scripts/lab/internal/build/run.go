package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tailLines is how much of a log a StepError quotes.
const tailLines = 15

// StepError says which command of a build failed, why, and where its whole
// output is.
type StepError struct {
	Step string // name of the part, or "setup"
	Argv []string
	Log  string // path of the log file
	Tail string // its last lines
	Err  error
}

// Error implements error over several lines: the last of them quote the log.
func (e *StepError) Error() string {
	msg := fmt.Sprintf("step %s: %s: %v (log: %s)", e.Step, strings.Join(e.Argv, " "), e.Err, e.Log)
	if e.Tail != "" {
		msg += "\n" + e.Tail
	}
	return msg
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// WithStep returns a context whose commands belong to the step of that name,
// which is the name of their log, too.
func WithStep(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, stepKey{}, name)
}

// Run runs argv in dir with env added to this process's environment. The
// output goes to a log file below the cache, named after the part being built.
// A failure is a *StepError. When ctx ends, the command and its children do.
func (c *Cache) Run(ctx context.Context, dir string, env []string, argv ...string) error {
	return c.RunTo(ctx, nil, dir, env, argv...)
}

// RunTo is Run with the standard output going to out rather than to the log.
func (c *Cache) RunTo(ctx context.Context, out io.Writer, dir string, env []string, argv ...string) error {
	if len(argv) == 0 {
		return errors.New("build: no command given")
	}
	step, ok := ctx.Value(stepKey{}).(string)
	if !ok {
		step = "setup"
	}
	logPath := filepath.Join(c.Dir, "logs", step+".log")
	fail := func(err error) error {
		return &StepError{Step: step, Argv: argv, Log: logPath, Tail: Tail(logPath, tailLines), Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(logPath), 0o755); err != nil {
		return fail(err)
	}
	log, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fail(err)
	}
	defer log.Close()                                                                                       // only a log
	fmt.Fprintf(log, "--- %s\n--- %s: %s\n", time.Now().Format(time.RFC3339), dir, strings.Join(argv, " ")) // only a log
	c.log().Debug("run", "step", step, "dir", dir, "argv", argv)

	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if out != nil {
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fail(err)
	}
	return nil
}

// Tail returns the last n lines of a file, indented, or nothing when it cannot
// be read.
func Tail(path string, n int) string {
	const most = 16 << 10
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close() // read only
	if fi, err := f.Stat(); err == nil && fi.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return ""
		}
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    | " + string(bytes.Join(lines, []byte("\n    | ")))
}

// Apt installs those of the Debian packages that are missing, and says so on
// Progress. It fails on systems without dpkg, naming what to install by hand.
func (c *Cache) Apt(ctx context.Context, packages ...string) error {
	missing, err := missingPackages(ctx, packages)
	if err != nil || len(missing) == 0 {
		return err
	}
	if os.Geteuid() != 0 {
		names := strings.Join(missing, " ")
		return fmt.Errorf("debian packages missing: %s; install them with: sudo apt-get install --no-install-recommends %s", names, names)
	}
	unlock, ctx, err := c.lock(ctx, "apt")
	if err != nil {
		return err
	}
	defer unlock()
	missing, err = missingPackages(ctx, missing)
	if err != nil || len(missing) == 0 { // somebody else installed them while we waited
		return err
	}
	names := strings.Join(missing, " ")
	c.Printf("installing Debian packages: %s", names)
	ctx = WithStep(ctx, "apt")
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := c.Run(ctx, "/", env, "apt-get", "update"); err != nil {
		return err
	}
	argv := append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, missing...)
	return c.Run(ctx, "/", env, argv...)
}

// missingPackages returns the packages that dpkg does not know as installed.
func missingPackages(ctx context.Context, packages []string) ([]string, error) {
	var missing []string
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", p).Output()
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("this system has no dpkg-query: the lab installs what it needs on Debian only; install by hand: %s", strings.Join(packages, " "))
		}
		if err != nil || string(out) != "installed" {
			missing = append(missing, p)
		}
	}
	return missing, ctx.Err()
}
