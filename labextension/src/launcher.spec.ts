import { IServerInfo } from './api';
import { entriesOf } from './launcher';

const entry = { enabled: true, title: 'T', path_info: 'x/', category: 'Notebook' };
const info = (more: object = {}): IServerInfo => ({ name: 'x', launcher_entry: entry, new_browser_tab: true, ...more });

describe('entriesOf', () => {
  it('gives the arguments that other extensions know', () => {
    expect(entriesOf([info()], 'http://host/base/')).toEqual([
      {
        category: 'Notebook',
        iconUrl: undefined,
        args: { id: 'server-proxy:x', title: 'T', url: 'http://host/base/x/', newBrowserTab: true }
      }
    ]);
  });

  it('keeps query and fragment', () => {
    const [{ args }] = entriesOf([info({ launcher_entry: { ...entry, path_info: 'x/a?b=//c#d' } })], 'http://host/');
    expect(args.url).toBe('http://host/x/a?b=//c#d');
  });

  it('shows several entries of a server, each with an id, and none that is disabled', () => {
    const entries = [entry, { ...entry, enabled: false }, { ...entry, title: 'U', icon_url: '/i' }];
    const shown = entriesOf([info({ launcher_entries: entries })], 'http://host/');
    expect(shown.map(({ args }) => [args.id, args.title])).toEqual([
      ['server-proxy:x', 'T'],
      ['server-proxy:x:1', 'U']
    ]);
    expect(shown[1].args.iconUrl).toBe('/i');
    expect(entriesOf([info({ launcher_entry: { ...entry, enabled: false } })], '/')).toEqual([]);
  });
});
