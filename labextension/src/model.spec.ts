import { Api, IServer } from './api';
import { ServersModel } from './model';
import { IStateChange } from './tokens';

const server = (name: string, more: Partial<IServer> = {}): IServer =>
  ({ name, title: name, state: 'stopped', since: '1', managed: true, ...more }) as IServer;

/** A model and what its API answers. */
function make(servers: IServer[]): { model: ServersModel; told: { servers: IServer[]; error?: Error }; acts: string[] } {
  const told: { servers: IServer[]; error?: Error } = { servers };
  const acts: string[] = [];
  const api = {
    settings: { baseUrl: 'http://localhost/base/' },
    servers: async () => {
      if (told.error) {
        throw told.error;
      }
      return told.servers;
    },
    act: async (name: string, action: string) => {
      acts.push(`${action} ${name}`);
      return server(name, { state: action === 'stop' ? 'stopped' : 'starting', since: '9' });
    }
  } as unknown as Api;
  return { model: new ServersModel(api), told, acts };
}

function changesOf(model: ServersModel): string[] {
  const changes: string[] = [];
  model.stateChanged.connect((_, { server, previous }: IStateChange) => {
    changes.push(`${server.name}: ${previous?.state ?? 'unknown'} -> ${server.state}`);
  });
  return changes;
}

describe('ServersModel', () => {
  it('tells changes of states, and a restart that came back to the same one', async () => {
    const { model, told } = make([server('a'), server('b', { state: 'ready' })]);
    const changes = changesOf(model);
    await model.refresh();
    told.servers = [server('a'), server('b', { state: 'ready', requests_open: 3 })];
    await model.refresh();
    expect(changes).toEqual(['a: unknown -> stopped', 'b: unknown -> ready']);
    told.servers = [server('a', { state: 'failed', since: '2' }), server('b', { state: 'ready', since: '2' })];
    await model.refresh();
    expect(changes.slice(2)).toEqual(['a: stopped -> failed', 'b: ready -> ready']);
    expect(model.get('a')?.state).toBe('failed');
  });

  it('keeps what it knows while Jupyter does not answer', async () => {
    const { model, told } = make([server('a', { state: 'ready' })]);
    await model.refresh();
    told.error = new Error('offline');
    await model.refresh().catch(() => undefined);
    expect(model.all.map(({ name, state }) => `${name} ${state}`)).toEqual(['a ready']);
  });

  it('shows at once what somebody has asked for', async () => {
    const { model, acts } = make([server('a', { state: 'ready' })]);
    await model.refresh();
    const changes = changesOf(model);
    await model.stop('a');
    expect(acts).toEqual(['stop a']);
    expect(changes[0]).toBe('a: ready -> stopped');
  });

  it.each([
    ['http://localhost/base/app/', 'app'],
    ['/base/app', 'app'],
    ['/base/app/x?y', 'app'],
    ['/base/app2/', 'app2'],
    ['/base/desk/one/x', 'desk/one'],
    ['/base/desk/', 'desk'],
    ['/base/apple/', undefined],
    ['/app/', undefined],
    ['/base/proxy/8000/', undefined]
  ])('knows which server %s leads to', async (url, name) => {
    const { model } = make(['app', 'app2', 'desk', 'desk/one'].map(one => server(one)));
    await model.refresh();
    expect(model.find(url)?.name).toBe(name);
  });
});
