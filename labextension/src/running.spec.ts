import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { nullTranslator } from '@jupyterlab/translation';

import { FakeApp, FakeServers, makeServer } from '../spec/fakes';
import { IServer } from './api';
import { describe as describeServer, runningPlugin } from './running';
import { CommandIDs } from './tokens';

const NOW = Date.parse('2026-01-01T02:00:00Z');
const trans = nullTranslator.load('');

describe('describe', () => {
  const process = { cpu_percent: 0, memory_bytes: 12_400_000, count: 2 };

  it.each<[Partial<IServer>, string]>([
    [{ state: 'ready', started: '2026-01-01T01:58:00Z' }, '2 min'],
    [{ state: 'ready', started: '2026-01-01T01:58:00Z', process }, '2 min, 12 MB'],
    [{ state: 'ready', since: '2026-01-01T01:00:00Z' }, '1 h'],
    [{ state: 'starting', process }, 'starting, 12 MB'],
    [{ state: 'stopping' }, 'stopping'],
    [{ state: 'failed' }, 'failed'],
    [{ state: 'stopped' }, 'stopped']
  ])('%j: %s', (more, text) => {
    expect(describeServer(makeServer('app', more), trans, NOW)).toBe(text);
  });
});

describe('the section', () => {
  let fake: FakeApp;
  let servers: FakeServers;
  let manager: IRunningSessions.IManager;

  beforeEach(() => {
    fake = new FakeApp();
    servers = new FakeServers();
    const managers = { add: (one: IRunningSessions.IManager) => (manager = one) };
    runningPlugin.activate(fake.app, servers, managers as unknown as IRunningSessionManagers, null);
  });

  const items = (): IRunningSessions.IRunningItem[] => manager.running({} as never);
  const labels = (): unknown[] => items().map(item => item.label());

  it('shows what runs, what begins and ends to run, and what could not', () => {
    const states = ['starting', 'ready', 'stopping', 'failed', 'stopped'] as const;
    servers.show(...states.map(state => makeServer(state, { state })));
    expect(labels()).toEqual(['The starting', 'The ready', 'The stopping', 'The failed']);
    expect(items().map(item => item.context)).toEqual(['starting', 'ready', 'stopping', 'failed']);
  });

  it('leaves out what others run', () => {
    servers.show(makeServer('external', { managed: false }), makeServer('mine'));
    expect(labels()).toEqual(['The mine']);
  });

  it('tells the reason of a failure to who points at it', () => {
    const failure = { message: 'It exited with status 3.' } as IServer['failure'];
    servers.show(makeServer('app', { state: 'failed', failure }), makeServer('other'));
    expect(items().map(item => item.labelTitle?.())).toEqual(['/base/app/\nIt exited with status 3.', '/base/other/']);
  });

  it('opens and stops a server by the commands', () => {
    const opened = fake.note(CommandIDs.open);
    const stopped = fake.note(CommandIDs.stop);
    servers.show(makeServer('app'), makeServer('framed', { new_browser_tab: false }));
    const [item, framed] = items();
    item.open?.();
    framed.open?.();
    item.shutdown?.();
    expect(opened).toEqual([
      { id: 'server-proxy:app', title: 'The app', url: '/base/app/', newBrowserTab: true },
      { id: 'server-proxy:framed', title: 'The framed', url: '/base/framed/', newBrowserTab: false }
    ]);
    expect(stopped).toEqual([{ name: 'app' }]);
  });

  it('stops all that run, and nothing else', () => {
    const stopped = fake.note(CommandIDs.stop);
    servers.show(
      makeServer('one'),
      makeServer('rests', { state: 'stopped' }),
      makeServer('external', { managed: false }),
      makeServer('two', { state: 'starting' })
    );
    manager.shutdownAll();
    expect(stopped).toEqual([{ name: 'one' }, { name: 'two' }]);
  });

  it('tells when something has changed, and asks anew when it is told to', () => {
    const seen: unknown[] = [];
    manager.runningChanged.connect(() => seen.push(labels()));
    servers.show(makeServer('app'));
    servers.show();
    expect(seen).toEqual([['The app'], []]);
    manager.refreshRunning();
    expect(servers.refreshed).toBe(1);
  });

  it('has a restart in the menu of each item', () => {
    servers.show(makeServer('app'));
    expect(fake.items).toEqual([CommandIDs.restart]);
    expect(items()[0].className).toBe('jp-ServerProxy-running');
  });

  it('is missing where the page has no panel', () => {
    const other = new FakeApp();
    runningPlugin.activate(other.app, servers, null, null);
    expect(other.items).toEqual([]);
  });
});
