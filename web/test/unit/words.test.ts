import { describe, expect, it } from 'vitest';
import { ago, count, duration, moment, nothing, percent, plural, share } from '../../src/core/format';
import { formatPlace, parsePlace, type View } from '../../src/core/route';
import { apiQuery, emptySearch, facets, gapsRefused, queryFromSearch, searchFromQuery, sortOf, turnSort } from '../../src/core/search';
import { agentBadge, conditionBadge, fillTone, leaseBadge, machineBadge, nicBadge, poolBadge, verdictBadge } from '../../src/core/state';
import { toYAML } from '../../src/core/yaml';
import { wayOf } from '../../src/core/place-of-api';
import { eventReader, type Message } from '../../src/core/sse';
import { asProblem, Problem, problemFrom } from '../../src/core/problem';

describe('numbers and times', () => {
  it('say that nothing is known rather than 0', () => {
    expect([count(null), count(undefined), count(0), count(65_536)]).toEqual([nothing, nothing, '0', '65,536']);
    expect([share(null, 10), share(1, null), share(0, 0), share(5, 10)]).toEqual([undefined, undefined, undefined, 0.5]);
    expect(percent(undefined)).toBe(nothing);
  });
  it('say 0 % and 100 % only when it is so', () => {
    expect([0, 0.0001, 0.5, 0.9999, 1, 1.02].map(percent)).toEqual(['0 %', '< 1 %', '50 %', '> 99 %', '100 %', '102 %']);
  });
  it('count things', () => expect([plural(1, 'lease'), plural(2, 'lease'), plural(0, 'address', 'addresses')]).toEqual(['1 lease', '2 leases', '0 addresses']));
  it('say durations in two units', () => {
    expect([0, -5, 59, 60, 3600, 3660, 7200, 86_400 * 2 + 5, 90_061].map(duration)).toEqual(['0 s', '0 s', '59 s', '1 min', '1 h', '1 h 1 min', '2 h', '2 d', '1 d 1 h']);
  });
  it('say how long ago', () => {
    const now = Date.parse('2026-03-01T12:00:00Z');
    expect(['2026-03-01T11:59:59Z', '2026-03-01T11:59:50Z', '2026-03-01T11:00:00Z', '2026-02-01T12:00:00Z', '2026-03-01T14:00:00Z', '', undefined].map((time) => ago(time, now))).toEqual(['now', '10 s ago', '1 h ago', '28 d ago', 'in 2 h', nothing, nothing]);
  });
  it('say a moment in full', () => {
    expect(moment('2026-03-01T12:00:00Z', 'UTC')).toBe('2026-03-01 12:00:00');
    expect([moment(''), moment(undefined)]).toEqual([nothing, nothing]);
  });
});

describe('badges', () => {
  it('differ in icon or word when the tone is the same', () => {
    for (const [look, states] of [
      [poolBadge, ['Ready', 'Degraded', 'Unserved', 'Paused', 'Invalid', 'Unknown']],
      [leaseBadge, ['Allocated', 'Reserved', 'Conflict', 'Orphaned']],
      [machineBadge, ['Addressed', 'Waiting', 'Paused', 'Unmanaged']],
      [nicBadge, ['Allocated', 'Pending', 'Stale', 'Unmanaged']],
      [verdictBadge, ['ok', 'waiting', 'failing', 'unknown']],
    ] as const) {
      const made = states.map((state) => look(state));
      expect(new Set(made.map((badge) => badge.label)).size).toBe(states.length);
      for (const badge of made) expect(badge.icon).toBeTruthy();
    }
  });
  it('do not take a state that is not known for a good one', () => {
    for (const state of ['Melted', 'toString', '__proto__']) expect(poolBadge(state)).toEqual({ tone: 'unknown', icon: 'question', label: state });
  });
  it('know which conditions are bad when true', () => {
    expect([conditionBadge('AgentReady', 'True').tone, conditionBadge('AgentReady', 'False').tone, conditionBadge('Stopped', 'False').tone, conditionBadge('Stopped', 'True').tone, conditionBadge('X', 'Unknown').tone]).toEqual(['success', 'warning', 'success', 'warning', 'unknown']);
  });
  it('say whether an agent is ready', () => expect([agentBadge(true).tone, agentBadge(false).tone]).toEqual(['success', 'error']));
  it('warn from 80 % and 90 %', () => expect([undefined, 0, 0.79, 0.8, 0.9, 1].map(fillTone)).toEqual(['unknown', 'success', 'success', 'warning', 'error', 'error']));
});

describe('places', () => {
  it('come back from their text', () => {
    const params = { namespace: 'a b', name: 'x/y%' };
    for (const view of ['overview', 'pools', 'pool-create', 'pool', 'pool-edit', 'leases', 'machines', 'machine', 'networks', 'agents', 'about'] as View[]) {
      const place = parsePlace(`#/${formatPlace(view, params, { q: '10.0.0.', state: 'x&y' })}`);
      expect(place.view).toBe(view);
      expect(place.query.get('state')).toBe('x&y');
      if ('namespace' in place.params) expect(place.params).toEqual(params);
    }
  });
  it('that are none are missing', () => {
    for (const text of ['#/nowhere', '#/pools/a', '#/pools/a//', '#/pools//b', '#/machines/a/b/c']) expect(parsePlace(text).view).toBe('missing');
  });
  it('are read however they begin and end', () => {
    for (const text of ['', '#', '#/', '/']) expect(parsePlace(text).view).toBe('overview');
    expect(parsePlace('pools/').view).toBe('pools');
    expect(parsePlace('#/machines/%zz/b').params).toEqual({ namespace: '%zz', name: 'b' });
  });
  it('without what they need have it empty', () => {
    expect([formatPlace('pool', {}), formatPlace('missing')]).toEqual(['pools//', '']);
  });
});

describe('the search of leases', () => {
  const full = { q: '10.0.0.', namespace: 'a', network: 'a/n', pool: 'a/p', state: ['Conflict', 'Reserved'], sort: '-mac', gaps: true };

  it('comes back from the address of the page', () => {
    expect(searchFromQuery(queryFromSearch(full))).toEqual(full);
    expect(searchFromQuery(queryFromSearch(emptySearch))).toEqual(emptySearch);
    expect(queryFromSearch(emptySearch).toString()).toBe('');
  });
  it('asks the API for nothing that is of the page only', () => {
    expect(apiQuery(full).toString()).toBe('q=10.0.0.&namespace=a&network=a%2Fn&state=Conflict&state=Reserved&sort=-mac');
  });
  it('counts its facets', () => expect([facets(full), facets(emptySearch)]).toEqual([5, 0]));
  it('turns the order of a column round', () => {
    expect([turnSort('address', 'mac'), turnSort('mac', 'mac'), turnSort('-mac', 'mac')]).toEqual(['mac', '-mac', 'mac']);
    expect([sortOf('mac', 'mac'), sortOf('-mac', 'mac'), sortOf('vm', 'mac')]).toEqual(['ascending', 'descending', 'none']);
  });
  it('shows free addresses only where that is the truth', () => {
    const pool = { ...emptySearch, pool: 'a/p' };
    expect(gapsRefused(pool)).toBe('');
    for (const search of [emptySearch, { ...pool, sort: 'mac' }, { ...pool, q: 'x' }, { ...pool, state: ['Reserved'] }, { ...pool, namespace: 'a' }, { ...pool, network: 'n' }]) expect(gapsRefused(search)).not.toBe('');
  });
});

describe('YAML', () => {
  it('is as people write it', () => {
    expect(toYAML({ kind: 'IPPool', spec: { cidr: '10.0.0.0/24', list: ['10.0.0.1', 'a: b'], maps: [{ a: 1, b: { c: true } }], none: [], gone: undefined, no: 'no', nil: null } })).toBe(
      'kind: IPPool\nspec:\n  cidr: 10.0.0.0/24\n  list:\n  - 10.0.0.1\n  - "a: b"\n  maps:\n  - a: 1\n    b:\n      c: true\n  none: []\n  no: "no"\n  nil: null\n',
    );
  });
});

describe('the way to the API', () => {
  it.each([
    ['/', '/v1', 'direct'],
    ['/index.html', '/v1', 'direct'],
    ['/freehold/', '/freehold/v1', 'direct'],
    ['/apis/api.freehold.net/v1/ui/', '/apis/api.freehold.net/v1', 'aggregated'],
    ['/apis/api.freehold.net/v1/ui', '/apis/api.freehold.net/v1', 'aggregated'],
    ['/k8s/clusters/c-1/apis/api.freehold.net/v1/ui/index.html', '/k8s/clusters/c-1/apis/api.freehold.net/v1', 'aggregated'],
    ['/api/v1/namespaces/n/services/https:m:443/proxy/', '/api/v1/namespaces/n/services/https:m:443/proxy/v1', 'proxy'],
    ['/k8s/clusters/local/api/v1/namespaces/n/services/m/proxy/', '/k8s/clusters/local/api/v1/namespaces/n/services/m/proxy/v1', 'proxy'],
  ])('of a page at %s', (path, api, kind) => expect(wayOf(path)).toEqual({ api, kind }));
});

describe('server-sent events', () => {
  const text = 'id: 7\nevent: change\ndata: {"a":1}\n\n: a comment\n\ndata: one\ndata:two\n\nid\nevent: reset\ndata\n\nretry: 5\n\r\nid: 9\r\ndata: last\r\n\r\n';
  const read = (pieces: string[]) => {
    const feed = eventReader();

    return pieces.flatMap((piece) => feed.read(piece));
  };
  const whole: Message[] = [
    { id: '7', event: 'change', data: '{"a":1}' },
    { id: '7', event: 'message', data: 'one\ntwo' },
    { id: '', event: 'reset', data: '' },
    { id: '9', event: 'message', data: 'last' },
  ];

  it('are read', () => expect(read([text])).toEqual(whole));
  it('have an id without a message, too', () => {
    const feed = eventReader();
    expect(feed.read('retry: 2000\nid: a.1\n\n')).toEqual([]);
    expect(feed.id()).toBe('a.1');
  });
  it('are the same wherever the pieces are cut', () => {
    for (let at = 0; at <= text.length; at++) expect(read([text.slice(0, at), text.slice(at)])).toEqual(whole);
    expect(read([...text])).toEqual(whole);
  });
});

describe('problems', () => {
  it('are told in the words of the API', () => {
    expect(problemFrom(422, '{"type":"about:blank","title":"Unprocessable Entity"}').title).toBe('This is refused');
    const problem = problemFrom(422, JSON.stringify({ title: 'Refused', detail: 'no', errors: [{ field: 'mac', detail: 'is none' }] }));
    expect([problem.status, problem.title, problem.detail, problem.errors.length, problem.passing]).toEqual([422, 'Refused', 'no', 1, false]);
  });
  it('of Kubernetes and of proxies are told, too', () => {
    expect(problemFrom(403, '{"kind":"Status","message":"forbidden"}')).toMatchObject({ title: 'You may not see this', detail: 'forbidden', errors: [] });
    expect(problemFrom(502, '<html>bad gateway</html>')).toMatchObject({ title: 'The server answered 502', detail: '', passing: true });
    expect(problemFrom(503, 'upstream connect error')).toMatchObject({ detail: 'upstream connect error', message: 'upstream connect error' });
    expect(problemFrom(404, 'null')).toMatchObject({ title: 'There is no such thing', message: 'There is no such thing' });
  });
  it('are made of anything that is thrown', () => {
    const problem = new Problem(409, 'a', 'b');
    expect(asProblem(problem)).toBe(problem);
    expect(asProblem(new TypeError('failed to fetch'))).toMatchObject({ status: 0, passing: true });
    expect(asProblem(new Error('x'))).toMatchObject({ status: -1, detail: 'x', passing: false });
    expect(asProblem('y')).toMatchObject({ detail: 'y' });
    expect(new Problem(429, '', '').passing).toBe(true);
  });
});
