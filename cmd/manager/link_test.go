package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// link is the only way from one program to the API server. It can be cut, and
// can cut itself after a given write.
type link struct {
	kubeconfig string
	front      *httptest.Server

	mu      sync.Mutex
	severed bool
	// cutAfter counts down the writes to our kinds in cutNamespace; at zero the
	// link is severed before the answer gets through. Below zero it is not armed.
	cutAfter     int
	cutNamespace string
	onCut        chan struct{}
}

// connect makes a link for an account: a kubeconfig that leads to a proxy, which
// speaks with the API server by a token of the account.
func (s *server) connect(ctx context.Context, account string) (*link, error) {
	token, err := s.token(ctx, account)
	if err != nil {
		return nil, err
	}

	back, err := url.Parse(s.config.Host)
	if err != nil {
		return nil, err
	}

	// Without the administrator's certificate, which would count more than the token.
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(s.config))
	if err != nil {
		return nil, err
	}

	l := &link{cutAfter: -1, onCut: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(back)
			// A kubeconfig's token is not used without TLS, so it is added here.
			request.Out.Header.Set("Authorization", "Bearer "+token)
		},
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: l.answered,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       slog.NewLogLogger(logs.logger("proxy", slog.LevelDebug).Handler(), slog.LevelDebug),
	}
	l.front = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if l.isSevered() {
			panic(http.ErrAbortHandler)
		}

		proxy.ServeHTTP(w, request)
	}))
	l.front.Config.ErrorLog = proxy.ErrorLog
	l.front.Start()

	l.kubeconfig = filepath.Join(s.dir, fmt.Sprintf("%s-%d.kubeconfig", account, time.Now().UnixNano()))

	return l, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: l.front.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test"}},
		CurrentContext: "test",
	}, l.kubeconfig)
}

// errSevered keeps an answer from getting through.
var errSevered = errors.New("the link is cut")

// answered counts the writes that the API server has carried out.
func (l *link) answered(answer *http.Response) error {
	request := answer.Request

	l.mu.Lock()
	defer l.mu.Unlock()

	if l.severed {
		return errSevered
	}

	ours := strings.HasPrefix(request.URL.Path, "/apis/network.harvesterhci.io/v1alpha1/namespaces/"+l.cutNamespace+"/")
	if l.cutAfter < 0 || !ours || request.Method == http.MethodGet || answer.StatusCode >= http.StatusBadRequest {
		return nil
	}

	l.cutAfter--
	if l.cutAfter > 0 {
		return nil
	}

	l.severed = true
	close(l.onCut)

	return errSevered
}

// arm cuts the link at the k-th write to objects of our kinds in the namespace,
// which the API server carries out but the writer never hears of.
func (l *link) arm(namespace string, k int) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.cutNamespace, l.cutAfter = namespace, k
}

// disarm takes arm back and tells how many writes are left.
func (l *link) disarm() int {
	l.mu.Lock()
	defer l.mu.Unlock()

	left := l.cutAfter
	l.cutAfter = -1

	return left
}

func (l *link) isSevered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.severed
}

// sever ends every connection and lets nothing through any more.
func (l *link) sever() {
	l.mu.Lock()
	l.severed = true
	l.mu.Unlock()
	l.front.CloseClientConnections()
}

// cut closes the link for good and tells whether it had been severed.
func (l *link) cut() bool {
	severed := l.isSevered()

	l.sever()
	os.Remove(l.kubeconfig)
	l.front.Close()

	return severed
}
