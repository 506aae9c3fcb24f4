import { ILayoutRestorer } from '@jupyterlab/application';
import { Clipboard, IFrame, Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import { FakeApp, FakeServers, makeServer, settle } from '../spec/fakes';
import { openPlugin } from './open';
import { ServerTab } from './tab';
import { CommandIDs, IOpener } from './tokens';

const ARGS = { id: 'server-proxy:app', title: 'App', url: '/base/app/', newBrowserTab: false };

/** The settings of this user. */
class Settings {
  readonly changed = new Signal<this, void>(this);
  constructor(public values: Record<string, unknown> = {}) {}
  get = (name: string): { composite: unknown } => ({
    composite: { place: 'as-configured', sandbox: ['allow-scripts'], ...this.values }[name]
  });
  set(values: Record<string, unknown>): void {
    this.values = values;
    this.changed.emit();
  }
}

let fake: FakeApp;
let servers: FakeServers;
let opened: unknown[][];

beforeEach(() => {
  fake = new FakeApp();
  servers = new FakeServers([makeServer('app')]);
  opened = [];
  window.open = (...args: unknown[]) => (opened.push(args), null);
});

afterEach(() => fake.close());

async function activate({
  settings = new Settings(),
  load = async () => settings,
  inLab = true,
  restorer = null
}: {
  settings?: Settings;
  load?: () => Promise<Settings>;
  inLab?: boolean;
  restorer?: ILayoutRestorer | null;
} = {}): Promise<IOpener> {
  const registry = { load } as unknown as ISettingRegistry;
  const opener = openPlugin.activate(fake.app, servers, inLab ? fake.shell : null, restorer, registry, null);
  await settle();
  return opener as IOpener;
}

const open = (args: ReadonlyPartialJSONObject): Promise<ServerTab | undefined> =>
  fake.commands.execute(CommandIDs.open, args);
const sourceOf = (tab: ServerTab): string => tab.node.querySelector('iframe')!.src;

describe('where a server is opened', () => {
  const inBrowser = [['/base/app/', '_blank', 'noopener']];

  it.each<[string, boolean, boolean]>([
    ['as-configured', false, false],
    ['as-configured', true, true],
    ['browser-tab', false, true],
    ['browser-tab', true, true],
    ['jupyterlab-tab', false, false],
    ['jupyterlab-tab', true, false]
  ])('setting %s, newBrowserTab %s: in the browser %s', async (place, newBrowserTab, browser) => {
    await activate({ settings: new Settings({ place }) });
    await open({ ...ARGS, newBrowserTab });
    expect(opened).toEqual(browser ? inBrowser : []);
    expect(fake.added).toHaveLength(browser ? 0 : 1);
  });

  it('follows a setting that changes', async () => {
    const settings = new Settings();
    await activate({ settings });
    settings.set({ place: 'browser-tab' });
    await open(ARGS);
    expect(opened).toEqual(inBrowser);
  });

  it('is a tab for one that was a tab before the window was loaded anew', async () => {
    await activate({ settings: new Settings({ place: 'browser-tab' }) });
    await open({ ...ARGS, restored: true });
    expect(opened).toEqual([]);
    expect(fake.added).toHaveLength(1);
  });

  it('is the browser where there are no tabs', async () => {
    await activate({ inLab: false });
    await open(ARGS);
    expect(opened).toEqual(inBrowser);
  });

  it('is what the server says when the settings cannot be loaded', async () => {
    await activate({ load: () => Promise.reject(new Error('no settings')) });
    await open(ARGS);
    expect(fake.added).toHaveLength(1);
  });

  it('is nowhere for what is no page', async () => {
    await activate();
    for (const newBrowserTab of [false, true]) {
      await expect(open({ ...ARGS, url: 'javascript:alert(1)', newBrowserTab })).rejects.toThrow('http');
      await expect(open({ ...ARGS, url: 'data:text/html,x', newBrowserTab })).rejects.toThrow('http');
    }
    expect([opened, fake.added]).toEqual([[], []]);
  });
});

describe('a tab', () => {
  it('is one for each id, however often it is asked for', async () => {
    await activate();
    const first = await open(ARGS);
    expect(await open(ARGS)).toBe(first);
    const other = await open({ ...ARGS, id: 'server-proxy:app:1', url: '/base/app/two' });
    expect(other).not.toBe(first);
    expect(fake.activated).toEqual(['server-proxy:app', 'server-proxy:app', 'server-proxy:app:1']);
    expect(fake.added).toEqual([first, other]);
  });

  it('is made anew after it was closed', async () => {
    await activate();
    const first = await open(ARGS);
    first!.dispose();
    expect(await open(ARGS)).not.toBe(first);
  });

  it('needs only a URL', async () => {
    await activate();
    const tab = await open({ url: 'http://localhost/base/app/x?a=1#end' });
    expect(tab!.title.label).toBe('http://localhost/base/app/x?a=1#end');
    expect(sourceOf(tab!)).toBe('http://localhost/base/app/x?a=1#end');
  });

  it('waits for the settings, which say what its page may do', async () => {
    let told: (settings: Settings) => void = () => undefined;
    await activate({ load: () => new Promise(resolve => (told = resolve)) });
    const opening = open({ ...ARGS, restored: true });
    await settle();
    expect(fake.added).toEqual([]);
    told(new Settings({ sandbox: ['allow-forms'] as IFrame.SandboxExceptions[] }));
    expect((await opening)!.node.querySelector('iframe')!.getAttribute('sandbox')).toBe('allow-forms');
  });

  it('can be restored with all that it was opened with', async () => {
    type Options = { args: (tab: ServerTab) => ReadonlyPartialJSONObject; name: (tab: ServerTab) => string };
    let options: Options | null = null;
    const restorer = { restore: async (_: unknown, one: Options) => void (options = one) };
    await activate({ restorer: restorer as unknown as ILayoutRestorer });
    const tab = await open({ ...ARGS, iconUrl: '/base/icon' });
    expect(options!.args(tab!)).toEqual({ ...ARGS, iconUrl: '/base/icon', restored: true });
    expect(options!.name(tab!)).toBe('server-proxy:app');
  });
});

describe('the servers that were opened', () => {
  it('are known by name, wherever they were opened', async () => {
    servers.show(makeServer('app'), makeServer('other'), makeServer('third'));
    const opener = await activate();
    await open(ARGS);
    await open({ url: '/base/other/', newBrowserTab: true });
    expect([...opener.opened]).toEqual(['app', 'other']);
  });

  it('are known, too, when they were opened before the servers were', async () => {
    servers.show();
    const opener = await activate();
    await open(ARGS);
    await open({ url: '/base/proxy/8000/' });
    expect([...opener.opened]).toEqual([]);
    servers.show(makeServer('app'), makeServer('other'));
    expect([...opener.opened]).toEqual(['app']);
  });
});

describe('the other commands', () => {
  it.each([
    [CommandIDs.start, 'start app'],
    [CommandIDs.stop, 'stop app'],
    [CommandIDs.restart, 'restart app']
  ])('%s', async (command, act) => {
    await activate();
    await fake.commands.execute(command, { name: 'app' });
    expect(servers.acts).toEqual([act]);
  });

  it('tell what went wrong, and do not fail themselves', async () => {
    await activate();
    servers.error = new Error("Server 'app' exited with status 3.");
    await fake.commands.execute(CommandIDs.start, { name: 'app' });
    expect(Notification.manager.notifications.map(({ message, type }) => [message, type])).toEqual([
      ["Server 'app' exited with status 3.", 'error']
    ]);
  });

  it('copy a link that leads here from elsewhere', async () => {
    const copy = jest.spyOn(Clipboard, 'copyToSystem').mockImplementation();
    await activate();
    await fake.commands.execute(CommandIDs.copyLink, { url: '/base/proxy/8000/' });
    expect(copy).toHaveBeenCalledWith('http://localhost/base/proxy/8000/');
  });
});
