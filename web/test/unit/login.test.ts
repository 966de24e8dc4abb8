import { describe, expect, it } from 'vitest';
import { credentialFrom } from '../../src/core/kubeconfig';

const config = (user: string, more = '') => `apiVersion: v1
kind: Config
# a comment
clusters:
- cluster:
    server: "https://10.0.0.1:6443"
    certificate-authority-data: QUJD
  name: lab
contexts:
- context:
    cluster: lab
    user: other
  name: second
- name: lab
  context:
    cluster: lab
    user: me
current-context: lab
preferences: {}
users:
- name: other
  user:
    token: not-mine
- name: me
  user:
${user}
${more}`;

describe('what is pasted at the log-in', () => {
  it.each([
    ['a token', 'eyJhbGciOi.x.y', 'eyJhbGciOi.x.y'],
    ['a token with white space around', '\n abc.def \n', 'abc.def'],
    ['a token in quotes', '"abc"', 'abc'],
    ['a kubeconfig', config('    token: kubeconfig-u-x:abc'), 'kubeconfig-u-x:abc'],
    ['one with quotes', config("    token: 'q:abc'"), 'q:abc'],
    ['one with a comment behind', config('    token: abc # mine'), 'abc'],
    ['one with a certificate beside the token', config('    client-certificate-data: QUJD\n    token: abc'), 'abc'],
    ['one with Windows line ends', config('    token: abc').replaceAll('\n', '\r\n'), 'abc'],
    ['one with a program in a block before', config('    note: |\n      two\n      lines\n    token: abc'), 'abc'],
    ['one with an empty entry before', config('    note:\n    token: abc'), 'abc'],
    ['one with lists of texts', config('    args:\n    - a\n    -\n      - b\n    token: abc'), 'abc'],
    ['one with a single user and no context', 'users:\n- user:\n    token: abc\n  name: me\n', 'abc'],
    ['lists below their key', 'users:\n  - name: me\n    user:\n      token: abc\n', 'abc'],
    ['JSON', JSON.stringify({ users: [{ name: 'me', user: { token: 'abc' } }] }), 'abc'],
  ])('%s gives a token', (_, text, token) => expect(credentialFrom(text)).toEqual({ token }));

  it.each([
    ['nothing', '  ', /Paste a token/],
    ['a client certificate', config('    client-certificate-data: QUJD\n    client-key-data: QUJD'), /cannot use one.*kubectl create token/],
    ['a certificate in a file', config('    client-certificate: /a'), /cannot use one/],
    ['a program', config('    exec:\n      command: aws\n      args:\n      - eks'), /runs a program/],
    ['an old kind of program', config('    auth-provider:\n      name: oidc'), /runs a program/],
    ['a file', config('    tokenFile: /var/run/token'), /what is in that file/],
    ['a user with nothing', config('    username: x'), /has no token/],
    ['a user with an empty token', config('    token: ""'), /has no token/],
    ['a context without its user', config('    token: abc').replace('user: me\ncurrent', 'user: gone\ncurrent'), /names no user/],
    ['another file', 'kind: Pod\nspec:\n  a: b', /has no users/],
    ['prose', 'this is no kubeconfig', /line 1 cannot be read/],
    ['what is cut off', 'users:\n  - name: me\n user: x', /line 3 cannot be read/],
    ['bad JSON', '{"users": [', /neither a token nor a kubeconfig/],
    ['JSON that is something else', '{"users": {}}', /has no users/],
    ['users that are texts', 'users:\n- me\ncurrent-context: x', /has no token/],
  ])('%s is refused with a way out', (_, text, words) => {
    const made = credentialFrom(text);
    expect('refused' in made && made.refused).toMatch(words);
  });
});
