import { Clipboard, IFrame, ToolbarButton } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';

import { FakeApp, FakeServers, makeServer, settle } from '../spec/fakes';
import { IServer } from './api';
import { IOpenArguments, ServerTab } from './tab';
import { CommandIDs } from './tokens';
import { PlainButton } from './toolbar';

const OPENED: IOpenArguments = { id: 'server-proxy:app', title: 'App', url: '/base/app/', newBrowserTab: false };

let fake: FakeApp;
let servers: FakeServers;

beforeEach(() => {
  fake = new FakeApp();
  servers = new FakeServers([makeServer('app')]);
});

afterEach(() => fake.close());

function makeTab(opened: Partial<IOpenArguments> = {}, sandbox: IFrame.SandboxExceptions[] = []): ServerTab {
  const trans = nullTranslator.load('');
  const tab = new ServerTab({ ...OPENED, ...opened }, { sandbox, servers, commands: fake.commands, trans });
  fake.shell.add(tab);
  return tab;
}

/** What the frame of a tab shows; jsdom loads nothing. */
function showPage(tab: ServerTab, page: { title?: string; href?: string } | 'of another origin'): { reloads: number } {
  const frame = tab.node.querySelector('iframe')!;
  const seen = { reloads: 0 };
  const refuse = (): never => {
    throw new DOMException('Blocked a frame', 'SecurityError');
  };
  const isOther = page === 'of another origin';
  const location = { href: isOther ? '' : (page.href ?? 'http://localhost/base/app/'), reload: () => seen.reloads++ };
  Object.defineProperty(frame, 'contentWindow', { configurable: true, get: () => (isOther ? refuse() : { location }) });
  Object.defineProperty(frame, 'contentDocument', { get: () => (isOther ? null : { title: page.title ?? '' }) });
  frame.dispatchEvent(new Event('load'));
  return seen;
}

const cover = (tab: ServerTab): HTMLElement | null => tab.node.querySelector('.jp-ServerProxy-cover');
const show = (state: IServer['state'], more: Partial<IServer> = {}): void =>
  servers.show(makeServer('app', { state, ...more }));

describe('the frame', () => {
  it.each<[IFrame.SandboxExceptions[], string]>([
    [['allow-scripts', 'allow-forms'], 'allow-scripts allow-forms'],
    [[], '']
  ])('is a sandbox with %j', (sandbox, attribute) => {
    expect(makeTab({}, sandbox).node.querySelector('iframe')!.getAttribute('sandbox')).toBe(attribute);
  });

  it('keeps the URL of Jupyter from other hosts, and has a name', () => {
    const frame = makeTab().node.querySelector('iframe')!;
    const values = ['referrerpolicy', 'title', 'src'].map(name => frame.getAttribute(name));
    expect(values).toEqual(['same-origin', 'App', '/base/app/']);
  });
});

describe('the title', () => {
  it('is that of the page', () => {
    const tab = makeTab();
    expect(tab.title.label).toBe('App');
    showPage(tab, { title: 'Chart 3', href: 'http://localhost/base/app/3' });
    expect([tab.title.label, tab.title.caption]).toEqual(['Chart 3', 'App: http://localhost/base/app/3']);
  });

  it.each([[{ title: '' }], ['of another origin' as const]])('is its own for the page %j', page => {
    const tab = makeTab();
    showPage(tab, page);
    expect(tab.title.label).toBe('App');
  });

  it('has the icon of the server, even if it is known later', () => {
    servers.show();
    const tab = makeTab();
    const before = tab.title.icon;
    show('ready', { icon_url: '/base/server-proxy/icon/app' });
    expect(tab.title.icon).not.toBe(before);
    const own = makeTab({ id: 'server-proxy:app:1', iconUrl: '/base/other-icon' });
    expect((own.title.icon as LabIcon).svgstr).toContain('/base/other-icon');
  });
});

describe('while its server does not run', () => {
  it('is covered, and starts it only when it is asked to', async () => {
    const started = fake.note(CommandIDs.start);
    const tab = makeTab();
    const page = showPage(tab, {});
    show('stopping');
    expect(cover(tab)).toBeNull();
    show('stopped');
    expect(cover(tab)?.textContent).toContain('The app is not running.');
    expect([started, page.reloads]).toEqual([[], 0]);
    const button = cover(tab)!.querySelector('button')!;
    button.click();
    button.click();
    expect(started).toEqual([{ name: 'app' }]);
  });

  it.each(['starting', 'ready', 'failed'] as const)('shows its page anew when it is %s again', state => {
    const tab = makeTab();
    const page = showPage(tab, {});
    show('stopped');
    show('stopped', { since: 'later' });
    expect(page.reloads).toBe(0);
    show(state);
    expect(cover(tab)).toBeNull();
    expect(page.reloads).toBe(1);
    show('ready');
    expect(page.reloads).toBe(1);
  });

  it('is not covered while the page that starts it is loaded', () => {
    show('stopped');
    const tab = makeTab();
    show('stopped', { since: 'later' });
    show('starting');
    show('ready');
    expect(cover(tab)).toBeNull();
    servers.show();
    const restored = makeTab();
    show('stopped');
    expect(cover(restored)).toBeNull();
  });

  it('is covered when it was stopped before anybody had seen that it runs', () => {
    fake.note(CommandIDs.stop);
    show('stopped');
    const tab = makeTab();
    const stop = [...tab.toolbar.children()].find(one => one.node.dataset.jpItemName === 'stop');
    (stop as ToolbarButton).onClick({} as never);
    show('stopped');
    expect(cover(tab)).not.toBeNull();
  });

  it('asks how its server is when a page was loaded', () => {
    showPage(makeTab(), {});
    expect(servers.refreshed).toBe(1);
  });

  it('is covered once, and not by what happens to other servers', () => {
    const tab = makeTab();
    servers.show(makeServer('app'), makeServer('other', { state: 'stopped' }));
    expect(cover(tab)).toBeNull();
    show('stopped');
    show('starting');
    show('stopped');
    expect(tab.node.querySelectorAll('.jp-ServerProxy-cover')).toHaveLength(1);
    show('stopping'); // it was started meanwhile, and is stopped already
    expect(cover(tab)).not.toBeNull();
  });

  it('is no more when it was closed', () => {
    const tab = makeTab();
    tab.dispose();
    expect(() => show('stopped')).not.toThrow();
  });
});

describe('the toolbar', () => {
  const names = (tab: ServerTab): string[] => [...tab.toolbar.names()].filter(name => !name.includes('popup'));
  const PAGE = ['reload', 'browser-tab', 'copy-link'];

  /** Its buttons; soon toolbars without a width have them in a popup. */
  function buttonsOf(tab: ServerTab): Record<string, ToolbarButton> {
    const widgets = [...tab.toolbar.children()] as ToolbarButton[];
    return Object.fromEntries([...tab.toolbar.names()].map((name, index) => [name, widgets[index]]));
  }

  async function click(button: ToolbarButton): Promise<void> {
    button.onClick({} as never);
    await settle();
  }

  it('has buttons, and no switches', () => {
    for (const button of Object.values(buttonsOf(makeTab())).filter(one => one instanceof PlainButton)) {
      expect((button.render() as { props: object }).props).toMatchObject({ pressed: undefined });
    }
  });

  it('has the buttons of a server, once it is known', () => {
    servers.show();
    const tab = makeTab();
    expect(names(tab)).toEqual(PAGE);
    show('ready');
    show('ready');
    expect(names(tab)).toEqual([...PAGE, 'restart', 'stop']);
    fake.note(CommandIDs.showLog);
    expect(names(makeTab())).toEqual([...PAGE, 'restart', 'stop', 'log']);
  });

  it('stops nothing that others run, and no port', () => {
    show('ready', { managed: false });
    expect(names(makeTab())).toEqual(PAGE);
    expect(names(makeTab({ url: '/base/proxy/8000/' }))).toEqual(PAGE);
  });

  it('stops the server, shows its log, and restarts it with its page', async () => {
    const calls = [CommandIDs.stop, CommandIDs.showLog, CommandIDs.restart].map(command => fake.note(command));
    const tab = makeTab();
    const buttons = buttonsOf(tab);
    const page = showPage(tab, {});
    await click(buttons.stop);
    await click(buttons.log);
    expect(page.reloads).toBe(0);
    await click(buttons.restart);
    expect(calls).toEqual([[{ name: 'app' }], [{ name: 'app' }], [{ name: 'app' }]]);
    expect(page.reloads).toBe(1);
  });

  it('reloads, copies and opens what is shown now', async () => {
    const copy = jest.spyOn(Clipboard, 'copyToSystem').mockImplementation();
    const open = jest.spyOn(window, 'open').mockReturnValue(null);
    const tab = makeTab();
    const page = showPage(tab, { href: 'http://localhost/base/app/deep?x#y' });
    const buttons = buttonsOf(tab);
    await click(buttons.reload);
    await click(buttons['copy-link']);
    await click(buttons['browser-tab']);
    expect(page.reloads).toBe(1);
    expect(copy).toHaveBeenCalledWith('http://localhost/base/app/deep?x#y');
    expect(open).toHaveBeenCalledWith('http://localhost/base/app/deep?x#y', '_blank', 'noopener');
  });

  it('takes what was opened for a page of another origin', async () => {
    const copy = jest.spyOn(Clipboard, 'copyToSystem').mockImplementation();
    const tab = makeTab();
    const buttons = buttonsOf(tab);
    showPage(tab, 'of another origin');
    await click(buttons['copy-link']);
    expect(copy).toHaveBeenLastCalledWith('http://localhost/base/app/');
    await click(buttons.reload);
    expect(tab.node.querySelector('iframe')!.getAttribute('src')).toBe('/base/app/');
  });
});
