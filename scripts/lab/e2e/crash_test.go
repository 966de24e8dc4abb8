package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/freehold-net/freehold/scripts/lab/internal/build"
	"github.com/freehold-net/freehold/scripts/lab/internal/kube"
)

// TestLabAfterCrash: `lab up` brings the lab up after whatever a crash has left,
// its own included, and `lab down` leaves nothing. The lab of this test is a
// second one, with a machine to itself: see newMachine.
func TestLabAfterCrash(t *testing.T) {
	t.Parallel()

	m := newMachine(t)
	before := m.inventory()

	// Everything is gone at once.
	start := time.Now()
	m.mustLab("up")

	took := time.Since(start)
	m.runPods()
	t.Logf("lab up brought up a cluster in %s; with a pod on each node it has %s", seconds(took), m.grown(before))
	m.kill("-1")

	start = time.Now()
	m.mustLab("down")
	m.same(before)
	t.Logf("all its processes were killed; lab down took %s and left nothing: no process, interface, mount, control group or file", seconds(time.Since(start)))

	// Part of it is gone, and then what was to mend it.
	m.mustLab("up")
	m.kill(m.supervisors("control-plane", "nodes/node2")...)

	if out, err := m.lab("status"); err == nil {
		t.Errorf("with the control plane and node2 killed `lab status` says that all is well:\n%s", out)
	}

	t.Logf("process 1 of the control plane and of node2 were killed, and lab status says so")
	m.killStart("networks made")
	t.Logf("lab up was killed while it mended that")

	start = time.Now()
	m.mustLab("up")
	m.mustLab("status")
	t.Logf("the next lab up brought all up in %s", seconds(time.Since(start)))
	m.mustLab("down")
	m.same(before)
	t.Logf("lab down left nothing")
}

// machine is a machine within this one.
type machine struct {
	t     *testing.T
	name  string // of its control groups
	pid   int    // of its process 1
	dir   string // for the test's files
	state string // the lab's state directory
}

// hierarchies is a function for shell scripts: where control groups are.
const hierarchies = `hierarchies() {
	for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -L "$d" ] || [ ! -e "$d/cgroup.procs" ] || echo "$d"
		[ ! -e /sys/fs/cgroup/cgroup.controllers ] || break
	done
}
`

// join has a shell script join the control groups of the machine named $name. In
// v2 only those without groups below them may have processes, hence init.
const join = hierarchies + `for d in $(hierarchies); do
	[ ! -e "$d/cgroup.clone_children" ] || echo 1 >"$d/cgroup.clone_children"
	mkdir -p "$d/$name"
	group=$d/$name
	[ ! -d "$group/init" ] || group=$group/init
	echo $$ >"$group/cgroup.procs"
done
`

// process1 is the machine's: it makes the machine's control groups all that there
// are, and reaps orphans.
const process1 = hierarchies + `for d in $(hierarchies); do mount --bind "$d/$name" "$d" || exit; done
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	mkdir -p /sys/fs/cgroup/init && echo 1 >/sys/fs/cgroup/init/cgroup.procs || exit
fi
ip link set lo up
echo ready
while :; do sleep 1; done 2>/dev/null
`

// run runs the machine until its input ends. It prints the id of a process whose
// child process 1 is.
const run = join + `unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child --mount-proc sh -c "$process1" process1 &
echo $!
cat >/dev/null
kill -KILL $!
wait
`

// newMachine makes a machine with processes, interfaces, mounts and control
// groups of its own, on the file system of this one, until the test ends. A lab
// in it does not know of the lab outside.
func newMachine(t *testing.T) *machine {
	t.Helper()

	m := &machine{t: t, name: fmt.Sprintf("freehold-e2e-%d", os.Getpid()), dir: t.TempDir()}
	m.state = filepath.Join(m.dir, "lab")

	compile := exec.CommandContext(t.Context(), "go", "build", "-o", m.command(), "./cmd/lab")
	compile.Dir = ".."

	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build the lab's command: %v\n%s", err, out)
	}

	cmd := exec.Command("sh", "-c", run) //nolint:noctx // ended by its input, after the test's context

	cmd.Env = append(os.Environ(), "name="+m.name, "process1="+process1)
	cmd.Stderr = os.Stderr

	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}

	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		input.Close() // ends it
		cmd.Wait()    //nolint:errcheck // how it ended does not matter
		m.removeGroups()
	})

	var (
		parent int
		ready  string
	)

	if _, err := fmt.Fscan(output, &parent, &ready); err != nil {
		t.Fatalf("start a machine: %v", err)
	}

	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := fmt.Sscan(string(children), &m.pid); err != nil {
		t.Fatalf("process 1 of the machine is not among the children %q: %v", children, err)
	}

	return m
}

func (m *machine) command() string { return filepath.Join(m.dir, "lab-command") }

// in prepares a command within the machine.
func (m *machine) in(ctx context.Context, argv ...string) *exec.Cmd {
	script := join + `exec nsenter --target "$pid" --all --wd="$PWD" -- "$@"`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh"}, argv...)...)
	cmd.Env = append(os.Environ(), "name="+m.name, fmt.Sprintf("pid=%d", m.pid))
	cmd.Dir = ".."

	return cmd
}

// lab runs the lab's command within the machine and returns what it printed.
func (m *machine) lab(args ...string) (string, error) {
	out, err := m.in(m.t.Context(), append([]string{m.command(), "--state-dir", m.state}, args...)...).CombinedOutput()

	return string(out), err
}

func (m *machine) mustLab(args ...string) {
	m.t.Helper()

	if out, err := m.lab(args...); err != nil {
		m.t.Fatalf("lab %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// pods is a DaemonSet of the one image that every lab has.
const pods = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: idle}
spec:
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      containers: [{name: idle, image: "` + build.PauseImage + `", imagePullPolicy: Never}]
`

// runPods runs a pod on each node, and returns when their processes run.
func (m *machine) runPods() {
	m.t.Helper()

	cmd := m.in(m.t.Context(), kubectlPath(), "--kubeconfig", filepath.Join(m.state, "kubeconfig"), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(pods)

	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("kubectl apply: %v\n%s", err, out)
	}

	const perPod = 2 // of the sandbox, which every pod has, and of its container

	err := kube.Poll(m.t.Context(), poolTimeout, "pods to run on all nodes", func(context.Context) (bool, string, error) {
		running := 0

		for _, process := range m.inventory().Processes {
			if process == "/pause" {
				running++
			}
		}

		return running == perPod*len(lab.Cluster.Nodes()), fmt.Sprintf("%d processes", running), nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// kill kills processes by their ids within the machine; -1 are all but process 1.
func (m *machine) kill(pids ...string) {
	m.t.Helper()

	out, err := m.in(m.t.Context(), append([]string{"kill", "-KILL", "--"}, pids...)...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("kill %v: %v: %s", pids, err, out)
	}
}

// supervisors returns the ids of the process 1 of parts of the lab.
func (m *machine) supervisors(parts ...string) []string {
	m.t.Helper()

	pids := make([]string, len(parts))

	for i, part := range parts {
		data, err := os.ReadFile(filepath.Join(m.state, part, "init.pid"))
		if err != nil {
			m.t.Fatal(err)
		}

		var process struct{ Pid int }
		if err := json.Unmarshal(data, &process); err != nil || process.Pid == 0 {
			m.t.Fatalf("process 1 of %s: %s: %v", part, data, err)
		}

		pids[i] = fmt.Sprint(process.Pid)
	}

	return pids
}

// killStart starts `lab up` and kills it when it has told of that step.
func (m *machine) killStart(step string) {
	m.t.Helper()

	cmd := m.in(m.t.Context(), m.command(), "--state-dir", m.state, "up")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}

	output, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}

	var said []string

	for lines := bufio.NewScanner(output); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), step) {
			break
		}
	}

	if err := unix.Kill(-cmd.Process.Pid, unix.SIGKILL); err != nil {
		m.t.Error(err)
	}

	if err := cmd.Wait(); err == nil || !strings.Contains(strings.Join(said, "\n"), step) {
		m.t.Fatalf("lab up was to be killed after %q; it ended with %v and had said:\n%s", step, err, strings.Join(said, "\n"))
	}
}

// inventory is what there is on a machine that a lab may leave there.
type inventory struct{ Processes, Interfaces, Mounts, Groups, Files []string }

func (m *machine) inventory() inventory {
	m.t.Helper()

	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			return "" // it has just ended
		}

		return string(data)
	}

	names := func(script string) []string {
		out, err := m.in(m.t.Context(), "sh", "-c", hierarchies+script).Output()
		if err != nil {
			m.t.Fatalf("look around in the machine: %v", err)
		}

		return strings.Fields(string(out))
	}

	i := inventory{
		Interfaces: names(`ip -o link | cut -d: -f2`),
		Groups:     names(`for d in $(hierarchies); do find "$d" -type d; done`),
	}
	proc := fmt.Sprintf("/proc/%d", m.pid)

	for line := range strings.Lines(read(proc + "/mountinfo")) {
		i.Mounts = append(i.Mounts, strings.Fields(line)[4])
	}

	processes, err := filepath.Glob(proc + "/root/proc/[0-9]*/cmdline")
	if err != nil {
		m.t.Fatal(err)
	}

	for _, process := range processes {
		// Not the pause of process 1, and nobody whom it has still to reap.
		if words := strings.ReplaceAll(strings.Trim(read(process), "\x00"), "\x00", " "); words != "" && words != "sleep 1" {
			i.Processes = append(i.Processes, words)
		}
	}

	files, err := os.ReadDir(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}

	for _, file := range files {
		i.Files = append(i.Files, file.Name())
	}

	for _, list := range [][]string{i.Processes, i.Interfaces, i.Mounts, i.Groups} {
		slices.Sort(list)
	}

	return i
}

// grown says what a lab has added.
func (m *machine) grown(before inventory) string {
	m.t.Helper()

	now := m.inventory()
	if len(now.Processes) == len(before.Processes) || len(now.Interfaces) == len(before.Interfaces) || len(now.Groups) == len(before.Groups) {
		m.t.Fatalf("a lab that is up shows nothing in %+v", now)
	}

	return fmt.Sprintf("%d processes, %d interfaces and %d control groups", len(now.Processes)-len(before.Processes),
		len(now.Interfaces)-len(before.Interfaces), len(now.Groups)-len(before.Groups))
}

// same waits until there is what there was before, and fails when that does not
// come about.
func (m *machine) same(before inventory) {
	m.t.Helper()

	err := kube.Poll(m.t.Context(), time.Minute, "the lab to leave nothing", func(context.Context) (bool, string, error) {
		diff := cmp.Diff(before, m.inventory())

		return diff == "", diff, nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// removeGroups removes the machine's control groups; it has ended.
func (m *machine) removeGroups() {
	ctx := context.WithoutCancel(m.t.Context())
	script := hierarchies + `for d in $(hierarchies); do
		[ ! -d "$d/$name" ] || find "$d/$name" -depth -type d -exec rmdir {} + || failed=yes
	done
	[ -z "$failed" ]`

	err := kube.Poll(ctx, time.Minute, "the machine's control groups to be empty", func(ctx context.Context) (bool, string, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Env = append(os.Environ(), "name="+m.name)
		out, err := cmd.CombinedOutput()

		return err == nil, string(out), nil
	})
	if err != nil {
		m.t.Error(err)
	}
}
