// Opening a server: in a tab of the browser, or in a tab of JupyterLab that survives a reload.

import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, IFrame, MainAreaWidget, Notification, ToolbarButton, WidgetTracker } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { copyIcon, launchIcon, refreshIcon, stopIcon, textEditorIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { PromiseDelegate, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { Api } from './api';
import { iconOf } from './icons';
import { CommandIDs, IOpener, IServers, PLUGIN } from './tokens';

/** Where servers are opened. */
type Place = 'as-configured' | 'browser-tab' | 'jupyterlab-tab';

/** What the pages of servers may do in a tab of JupyterLab, unless the settings say something else. */
const SANDBOX: IFrame.SandboxExceptions[] = [
  'allow-same-origin', 'allow-scripts', 'allow-forms', 'allow-modals', 'allow-popups', 'allow-downloads'
];

interface IOpenArguments {
  /** Of the tab. */
  id: string;
  title: string;
  /** Absolute, or a path on this host. */
  url: string;
  newBrowserTab: boolean;
}

/** A server in a tab of JupyterLab. */
export class ServerTab extends MainAreaWidget<IFrame> {
  constructor(readonly opened: IOpenArguments, sandbox: IFrame.SandboxExceptions[]) {
    super({ content: new IFrame({ sandbox, referrerPolicy: 'same-origin' }) });
    this.id = opened.id;
    this.addClass('jp-ServerProxy-tab');
    this.title.label = opened.title;
    this.title.closable = true;
    this.content.addClass('jp-ServerProxy-frame');
    this.content.title.label = opened.title;
    const frame = this.frame;
    if (frame) {
      frame.title = opened.title;
      frame.addEventListener('load', () => this.showTitle());
    }
    this.content.url = opened.url;
  }

  /** Load the page anew, where its frame is now if that may be known. */
  reload(): void {
    try {
      this.frame?.contentWindow?.location.reload();
    } catch {
      this.content.url = this.opened.url;
    }
  }

  /** Where its frame is now. */
  get currentUrl(): string {
    try {
      const href = this.frame?.contentWindow?.location.href;
      return href && href !== 'about:blank' ? href : this.opened.url;
    } catch {
      return this.opened.url; // a page of another origin
    }
  }

  private get frame(): HTMLIFrameElement | null {
    return this.content.node.querySelector('iframe');
  }

  private showTitle(): void {
    try {
      const title = this.frame?.contentDocument?.title;
      this.title.label = title || this.opened.title;
      this.title.caption = `${this.opened.title}: ${this.currentUrl}`;
    } catch {
      this.title.label = this.opened.title;
    }
  }
}

function addToolbar(tab: ServerTab, commands: CommandRegistry, servers: IServers, trans: TranslationBundle): void {
  const button = (name: string, options: ToolbarButton['props'] & object): void => {
    tab.toolbar.addItem(name, new ToolbarButton(options));
  };
  button('reload', { icon: refreshIcon, tooltip: trans.__('Reload'), onClick: () => tab.reload() });
  button('browser-tab', {
    icon: launchIcon,
    tooltip: trans.__('Open in a new browser tab'),
    onClick: () => openInBrowser(tab.currentUrl)
  });
  button('copy-link', {
    icon: copyIcon,
    tooltip: trans.__('Copy link'),
    onClick: () => Clipboard.copyToSystem(new URL(tab.currentUrl, window.location.href).href)
  });
  const server = servers.find(tab.opened.url);
  if (server?.managed) {
    const { name } = server;
    button('restart', {
      label: trans.__('Restart'),
      tooltip: trans.__('Restart the server'),
      onClick: () => void commands.execute(CommandIDs.restart, { name }).then(() => tab.reload())
    });
    button('stop', {
      icon: stopIcon,
      tooltip: trans.__('Stop the server'),
      onClick: () => void commands.execute(CommandIDs.stop, { name }).then(() => tab.reload())
    });
    button('log', {
      icon: textEditorIcon,
      tooltip: trans.__('Show the log of the server'),
      onClick: () => void commands.execute(CommandIDs.showLog, { name })
    });
  }
}

function openInBrowser(url: string): void {
  window.open(url, '_blank', 'noopener');
}

function readArguments(args: ReadonlyPartialJSONObject): IOpenArguments {
  const url = String(args.url ?? '');
  return {
    id: String(args.id ?? `server-proxy:${url}`),
    title: String(args.title ?? url),
    url,
    newBrowserTab: Boolean(args.newBrowserTab)
  };
}

/** The command that opens servers, and the tabs that it makes. */
export const openPlugin: JupyterFrontEndPlugin<IOpener> = {
  id: `${PLUGIN}:open`,
  description: 'Opens servers in tabs of the browser or of JupyterLab.',
  autoStart: true,
  requires: [IServers],
  optional: [ILayoutRestorer, ISettingRegistry, ITranslator],
  provides: IOpener,
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): IOpener => {
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const api = new Api(app.serviceManager.serverSettings);
    const tracker = new WidgetTracker<ServerTab>({ namespace: 'server-proxy' });
    const opened = new Set<string>();
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
      caption: args => (args.url ? String(args.url) : ''),
      icon: args => (args.isPalette ? undefined : iconOf(String(args.id ?? ''), args.iconUrl as string | undefined)),
      execute: async args => {
        const wanted = readArguments(args);
        const server = servers.find(wanted.url);
        if (server) {
          opened.add(server.name);
        }
        const inBrowser = place === 'as-configured' ? wanted.newBrowserTab : place === 'browser-tab';
        if (inBrowser && !args.restored) {
          openInBrowser(wanted.url);
          return;
        }
        await settled.promise;
        let tab = tracker.find(one => one.id === wanted.id);
        if (!tab) {
          tab = new ServerTab(wanted, sandbox);
          tab.title.icon = iconOf(wanted.id, server?.icon_url);
          addToolbar(tab, app.commands, servers, trans);
          void tracker.add(tab);
        }
        if (!tab.isAttached) {
          app.shell.add(tab, 'main');
        }
        app.shell.activateById(tab.id);
        return tab;
      }
    });

    if (restorer) {
      void restorer.restore(tracker, {
        command: CommandIDs.open,
        args: tab => ({ ...tab.opened, restored: true }),
        name: tab => tab.id
      });
    }
    return { opened };
  }
};
