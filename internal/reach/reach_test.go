package reach_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/reach"
)

func TestAddressesAreJudgedByWhatTheySay(t *testing.T) {
	for _, good := range []string{"https://hooks.acme.example/x?y=z", "https://hooks.corp:8443/a", "https://10.1.2.3/", "https://[64:ff9b::a01:203]/", "https://[fd12::1]/", "http://127.0.0.1:8080/h", "http://localhost/h", "http://[::1]:1/h", "https://localhost/"} {
		u, err := reach.CheckURL(good)
		require.NoError(t, err, good)
		assert.Equal(t, good, u.String())
	}
	for bad, says := range map[string]string{
		"":                                                   "not valid",
		"hooks.acme.example":                                 "not valid",
		"https:///x":                                         "not valid",
		"https://:443/x":                                     "not valid",
		"https://a b/":                                       "not valid",
		"https://a\\@b/":                                     "not valid",
		"https:x@acme.example":                               "not valid",
		"https://canary:canary@acme.example/":                "user name",
		"https://canary@acme.example/":                       "user name",
		"https://acme.example/#canary":                       "fragment",
		"http://acme.example/":                               "https",
		"ftp://acme.example/":                                "https",
		"file:///etc/passwd":                                 "not valid",
		"gopher://acme.example/":                             "https",
		"https://169.254.169.254/latest":                     "does not reach",
		"https://[::ffff:169.254.169.254]/":                  "does not reach",
		"https://[fe80::1]/":                                 "does not reach",
		"https://[fd00:ec2::254]/":                           "does not reach",
		"https://0.0.0.0/":                                   "does not reach",
		"https://[fd00:ec2::254%25eth0]/":                    "does not reach",
		"https://[64:ff9b::a9fe:a9fe]/":                      "does not reach",
		"https://[64:ff9b:1::7f00:1]/":                       "does not reach",
		"https://[2002:a9fe:a9fe::1]/":                       "does not reach",
		"https://[::169.254.169.254]/":                       "does not reach",
		"https://100.100.100.200/":                           "does not reach",
		"https://192.0.0.192/":                               "does not reach",
		"https://168.63.129.16/":                             "does not reach",
		"https://224.0.0.1/":                                 "does not reach",
		"http://127.0.0.1.acme.example/":                     "https",
		"https://acme.example/" + string(make([]byte, 3000)): "not valid",
	} {
		_, err := reach.CheckURL(bad)
		require.Error(t, err, bad)
		assert.Contains(t, err.Error(), says, bad)
		assert.NotContains(t, err.Error(), "canary")
	}
}

// D05: what a name leads to is looked at when it is dialled.
func TestD05_AnAddressIsLookedAtWhenItIsDialled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	near, far := reach.DialContext(time.Second, true), reach.DialContext(time.Second, false)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	c, err := near(t.Context(), "tcp", "localhost:"+port)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	for _, host := range []string{"169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0", "[::]", "[fd00:ec2::254]", "[fd00:ec2::254%lo]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]", "100.100.100.200"} {
		for _, dial := range []func(context.Context, string, string) (net.Conn, error){near, far} {
			_, err := dial(t.Context(), "tcp", host+":"+port)
			assert.ErrorContains(t, err, "not one this server may reach", host)
		}
	}
	_, err = far(t.Context(), "tcp", "localhost:"+port)
	assert.ErrorContains(t, err, "not one this server may reach")
	_, err = far(t.Context(), "tcp", "nowhere")
	assert.Error(t, err)
}
