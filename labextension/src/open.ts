// Opening a server: in a tab of the browser, or in a tab of JupyterLab that survives a reload.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, IFrame, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { PromiseDelegate, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { Api } from './api';
import { iconOf } from './icons';
import { IOpenArguments, openInBrowser, ServerTab } from './tab';
import { CommandIDs, IOpener, IServers, PLUGIN } from './tokens';

/** Where servers are opened. */
type Place = 'as-configured' | 'browser-tab' | 'jupyterlab-tab';

/** What the pages of servers may do in a tab of JupyterLab, unless the settings say something else. */
const SANDBOX: IFrame.SandboxExceptions[] = [
  'allow-same-origin', 'allow-scripts', 'allow-forms', 'allow-modals', 'allow-popups', 'allow-downloads'
];

/**
 * @throws Error for a URL that is not of the web: a script in a frame would be one of JupyterLab's own page.
 */
function readArguments(args: ReadonlyPartialJSONObject): IOpenArguments {
  const url = String(args.url ?? '');
  if (!/^https?:$/.test(new URL(url, window.location.href).protocol)) {
    throw new Error(`Servers are opened by http or https, and not by ${url}.`);
  }
  return {
    id: String(args.id ?? `server-proxy:${url}`),
    title: String(args.title ?? url),
    url,
    newBrowserTab: Boolean(args.newBrowserTab),
    ...(args.iconUrl ? { iconUrl: String(args.iconUrl) } : {})
  };
}

/** The names of servers for which URLs were opened; for some of them it is known only later which server that is. */
class OpenedServers extends Set<string> {
  constructor(private readonly _servers: IServers) {
    super();
    _servers.changed.connect(() => {
      const urls = this._unknown;
      this._unknown = [];
      urls.forEach(url => this.note(url));
    });
  }

  note(url: string): void {
    const server = this._servers.find(url);
    if (server) {
      this.add(server.name);
    } else if (this._servers.all.length === 0) {
      this._unknown.push(url);
    }
  }

  private _unknown: string[] = [];
}

/** The command that opens servers, and the tabs that it makes. */
export const openPlugin: JupyterFrontEndPlugin<IOpener> = {
  id: `${PLUGIN}:open`,
  description: 'Opens servers in tabs of the browser or of JupyterLab.',
  autoStart: true,
  requires: [IServers],
  optional: [ILabShell, ILayoutRestorer, ISettingRegistry, ITranslator],
  provides: IOpener,
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): IOpener => {
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const api = new Api(app.serviceManager.serverSettings);
    const tracker = new WidgetTracker<ServerTab>({ namespace: 'server-proxy' });
    const opened = new OpenedServers(servers);
    let place: Place = 'as-configured';
    let sandbox = SANDBOX;
    // Tabs that are restored wait for the settings; nothing else does.
    const settled = new PromiseDelegate<void>();

    if (registry) {
      const read = (settings: ISettingRegistry.ISettings): void => {
        place = settings.get('place').composite as Place;
        sandbox = settings.get('sandbox').composite as IFrame.SandboxExceptions[];
      };
      registry
        .load(`${PLUGIN}:open`)
        .then(settings => {
          read(settings);
          settings.changed.connect(read);
        })
        .catch(reason => console.error('The settings of server-proxy cannot be loaded', reason))
        .finally(() => settled.resolve());
    } else {
      settled.resolve();
    }

    const act = async (args: ReadonlyPartialJSONObject, action: 'start' | 'stop' | 'restart'): Promise<void> => {
      try {
        await servers[action](String(args.name));
      } catch (reason) {
        Notification.error(String(reason instanceof Error ? reason.message : reason), { autoClose: 10000 });
      }
    };
    app.commands.addCommand(CommandIDs.start, {
      label: trans.__('Start Server'),
      execute: args => act(args, 'start')
    });
    app.commands.addCommand(CommandIDs.stop, {
      label: trans.__('Stop Server'),
      execute: args => act(args, 'stop')
    });
    app.commands.addCommand(CommandIDs.restart, {
      label: trans.__('Restart Server'),
      execute: args => act(args, 'restart')
    });
    app.commands.addCommand(CommandIDs.copyLink, {
      label: trans.__('Copy Link'),
      execute: args => Clipboard.copyToSystem(api.absolute(String(args.url)))
    });

    app.commands.addCommand(CommandIDs.open, {
      label: args => (args.title ? String(args.title) : trans.__('Open Server')),
      caption: args => String(args.title ?? ''),
      icon: args => (args.isPalette ? undefined : iconOf(String(args.id ?? ''), args.iconUrl as string | undefined)),
      execute: async args => {
        const wanted = readArguments(args);
        opened.note(wanted.url);
        const asked = place === 'as-configured' ? wanted.newBrowserTab : place === 'browser-tab';
        // A window of Notebook 7 shows one thing: there is no room for tabs.
        if (!labShell || (asked && !args.restored)) {
          openInBrowser(wanted.url);
          return;
        }
        await settled.promise;
        let tab = tracker.find(one => one.id === wanted.id);
        if (!tab) {
          tab = new ServerTab(wanted, { sandbox, servers, commands: app.commands, trans });
          void tracker.add(tab);
        }
        if (!tab.isAttached) {
          app.shell.add(tab, 'main');
        }
        app.shell.activateById(tab.id);
        return tab;
      }
    });

    if (labShell && restorer) {
      void restorer.restore(tracker, {
        command: CommandIDs.open,
        args: tab => ({ ...tab.opened, restored: true }),
        name: tab => tab.id
      });
    }
    return { opened };
  }
};
