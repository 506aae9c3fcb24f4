// A server in a tab of JupyterLab: its page in a frame, a toolbar, and what is shown while it does not run.

import { Clipboard, IFrame, MainAreaWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon, launchIcon, refreshIcon, stopIcon, textEditorIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import { IServer } from './api';
import { iconOf } from './icons';
import { CommandIDs, IServers } from './tokens';
import { ButtonProps, PlainButton } from './toolbar';

/** The arguments of the command that opens servers. */
export interface IOpenArguments {
  /** Of the tab. */
  id: string;
  title: string;
  /** Absolute, or a path on this host. */
  url: string;
  newBrowserTab: boolean;
  iconUrl?: string;
}

export interface ITabOptions {
  sandbox: IFrame.SandboxExceptions[];
  servers: IServers;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

export function openInBrowser(url: string): void {
  window.open(url, '_blank', 'noopener');
}

export class ServerTab extends MainAreaWidget<IFrame> {
  constructor(
    readonly opened: IOpenArguments,
    private readonly _options: ITabOptions
  ) {
    super({ content: new IFrame({ sandbox: _options.sandbox, referrerPolicy: 'same-origin' }) });
    this.id = opened.id;
    this.addClass('jp-ServerProxy-tab');
    this.title.label = opened.title;
    this.title.closable = true;
    this.content.addClass('jp-ServerProxy-frame');
    this.content.title.label = opened.title;
    const frame = this.frame;
    if (frame) {
      frame.title = opened.title;
      frame.addEventListener('load', () => {
        this.showTitle();
        // To load a page can have started its server.
        _options.servers.refresh().catch(() => undefined);
      });
    }
    this.content.url = opened.url;
    this.addToolbar();
    this.showIcon();
    this._state = this.server?.state;
    _options.servers.changed.connect(this.onServersChanged, this);
  }

  dispose(): void {
    this._options.servers.changed.disconnect(this.onServersChanged, this);
    super.dispose();
  }

  /** Load the page anew, where its frame is now if that may be known. */
  reload(): void {
    try {
      this.frame?.contentWindow?.location.reload();
    } catch {
      this.content.url = this.opened.url; // a page of another origin
    }
  }

  /** Where its frame is now. */
  get currentUrl(): string {
    try {
      const href = this.frame?.contentWindow?.location.href;
      return href && href !== 'about:blank' ? href : this.opened.url;
    } catch {
      return this.opened.url;
    }
  }

  private get server(): IServer | undefined {
    return this._options.servers.find(this.opened.url);
  }

  private get frame(): HTMLIFrameElement | null {
    return this.content.node.querySelector('iframe');
  }

  private showTitle(): void {
    let title = '';
    try {
      title = this.frame?.contentDocument?.title ?? '';
    } catch {
      // A page of another origin.
    }
    this.title.label = title || this.opened.title;
    this.title.caption = `${this.opened.title}: ${this.currentUrl}`;
  }

  /** Of a tab that is restored, the server becomes known later. */
  private showIcon(): void {
    this.title.icon = iconOf(this.opened.id, this.opened.iconUrl ?? this.server?.icon_url);
  }

  // ---- while it does not run

  /**
   * A page whose server was stopped looks alive, and to load it would start the server again: so it is covered. When the
   * server was started again, it is loaded anew.
   */
  private onServersChanged(): void {
    this.addServerButtons();
    this.showIcon();
    const server = this.server;
    const state = server?.state;
    if (!server || state === this._state) {
      return;
    }
    const previous = this._state;
    this._state = state;
    if (state === 'stopped' && previous !== undefined) {
      this.cover(server);
    } else if (this._cover && state !== 'stopping') {
      this._cover.remove();
      this._cover = null;
      this.reload();
    }
  }

  private cover(server: IServer): void {
    const { commands, trans } = this._options;
    this._cover?.remove();
    const cover = document.createElement('div');
    cover.className = 'jp-ServerProxy-cover';
    cover.setAttribute('role', 'status');
    const text = document.createElement('p');
    text.textContent = trans.__('%1 is not running.', server.title);
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'jp-mod-styled jp-mod-accept';
    button.textContent = trans.__('Start');
    button.addEventListener('click', () => {
      button.disabled = true;
      void commands.execute(CommandIDs.start, { name: server.name });
    });
    cover.append(text, button);
    this.content.node.append(cover);
    this._cover = cover;
  }

  // ---- the toolbar

  private addToolbar(): void {
    const { trans } = this._options;
    this.addButton('reload', { icon: refreshIcon, tooltip: trans.__('Reload'), onClick: () => this.reload() });
    this.addButton('browser-tab', {
      icon: launchIcon,
      tooltip: trans.__('Open in a new browser tab'),
      onClick: () => openInBrowser(this.currentUrl)
    });
    this.addButton('copy-link', {
      icon: copyIcon,
      tooltip: trans.__('Copy link'),
      onClick: () => Clipboard.copyToSystem(new URL(this.currentUrl, window.location.href).href)
    });
    this.addServerButtons();
  }

  /** Once it is known which server it is, and that it is ours to stop. */
  private addServerButtons(): void {
    const { commands, trans } = this._options;
    const server = this.server;
    if (!server?.managed || this._hasServerButtons) {
      return;
    }
    this._hasServerButtons = true;
    const { name } = server;
    this.addButton('restart', {
      label: trans.__('Restart'),
      tooltip: trans.__('Restart the server'),
      onClick: () => void commands.execute(CommandIDs.restart, { name }).then(() => this.reload())
    });
    this.addButton('stop', {
      icon: stopIcon,
      tooltip: trans.__('Stop the server'),
      onClick: () => {
        this._state = 'stopping'; // even if nobody has seen yet that it runs
        void commands.execute(CommandIDs.stop, { name });
      }
    });
    if (commands.hasCommand(CommandIDs.showLog)) {
      this.addButton('log', {
        icon: textEditorIcon,
        tooltip: trans.__('Show the log of the server'),
        onClick: () => void commands.execute(CommandIDs.showLog, { name })
      });
    }
  }

  private addButton(name: string, props: ButtonProps): void {
    this.toolbar.addItem(name, new PlainButton(props));
  }

  private _cover: HTMLElement | null = null;
  private _state: IServer['state'] | undefined;
  private _hasServerButtons = false;
}
