// The panel of listening ports: a table whose rows stay the same elements from one look to the next, so that neither
// the focus nor what a screen reader reads is lost.

import type { TranslationBundle } from '@jupyterlab/translation';
import { bellIcon, copyIcon, LabIcon, launchIcon, tabIcon } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import hideSvg from '../style/icons/hide.svg';
import portSvg from '../style/icons/port.svg';
import showSvg from '../style/icons/show.svg';
import { IPort, PortOwner } from './api';
import { addHidden, HiddenBecause, hiddenBecause, IKnownPort, INames, matches, ownerName, removeHidden } from './ports';
import { PortsModel, PortsSettings } from './portsmodel';

export const portIcon = new LabIcon({ name: 'server-proxy:port', svgstr: portSvg });
const hideIcon = new LabIcon({ name: 'server-proxy:hide', svgstr: hideSvg });
const showIcon = new LabIcon({ name: 'server-proxy:show', svgstr: showSvg });

const CLASS = 'jp-ServerProxy-ports';

/** What can be done with a port, besides hiding it. */
export interface IPortActions {
  /** In a new tab of the browser. */
  open(port: IPort): void;
  /** In a tab of JupyterLab; null where there are none. */
  openTab: ((port: IPort) => void) | null;
  copyLink(port: IPort): void;
  /** What opens the notebook, terminal or server that a port belongs to; null if nothing does. */
  opener(owner: PortOwner): (() => void) | null;
}

export interface IPortsPanelOptions {
  model: PortsModel;
  settings: PortsSettings;
  actions: IPortActions;
  names: INames;
  trans: TranslationBundle;
}

export class PortsPanel extends Widget {
  constructor(private readonly _options: IPortsPanelOptions) {
    super();
    const { model, settings, trans } = _options;
    this.addClass(CLASS);
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Ports'));

    this._filter = element('input', 'jp-mod-styled');
    this._filter.type = 'search';
    this._filter.placeholder = trans.__('Filter');
    this._filter.setAttribute('aria-label', trans.__('Filter the ports by number, process or owner'));
    this._filter.addEventListener('input', () => this.render());
    this._bell = makeButton(bellIcon, () => settings.set('announce', !settings.get('announce')));
    this._bell.classList.add(`${CLASS}-bell`);
    const header = element('div', `${CLASS}-header`, this._filter, this._bell);

    this._problem = element('div', `${CLASS}-problem`);
    this._problem.setAttribute('role', 'alert');
    this._body = element('div', `${CLASS}-body`);
    this._body.setAttribute('role', 'rowgroup');
    this._body.addEventListener('keydown', event => this.moveFocus(event));
    this._table = element('div', `${CLASS}-table`, makeHeadings(trans), this._body);
    this._table.setAttribute('role', 'table');
    this._table.setAttribute('aria-label', trans.__('Listening ports'));

    this._status = element('span', `${CLASS}-status`);
    this._status.setAttribute('role', 'status');
    this._more = element('button', `${CLASS}-more`);
    this._more.type = 'button';
    this._more.addEventListener('click', () => {
      this._withHidden = !this._withHidden;
      this.render();
    });
    const footer = element('div', `${CLASS}-footer`, this._status, this._more);
    this.node.append(header, this._problem, this._table, footer);

    model.looked.connect(this.render, this);
    settings.changed.connect(this.render, this);
    this.render();
  }

  /** It has become visible, or is visible no more. */
  get shown(): ISignal<this, boolean> {
    return this._shown;
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._shown.emit(true);
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._shown.emit(false);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._shown.emit(this.isVisible);
  }

  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._filter.focus();
  }

  private render(): void {
    const { model, settings, names, trans } = this._options;
    const { ranges } = settings;
    const showInternal = settings.get('showInternal');
    const views: IRowView[] = model.all.map(port => ({
      port,
      owner: ownerName(port.owner, names, trans),
      hidden: hiddenBecause(port, ranges, showInternal)
    }));
    const candidates = views.filter(({ hidden }) => this._withHidden || hidden === null);
    const chosen = candidates.filter(({ port, owner }) => matches(port, owner, this._filter.value));
    this.showRows(chosen);
    this.showState(candidates.length, chosen.length, views.filter(({ hidden }) => hidden !== null).length);
  }

  private showState(candidates: number, chosen: number, hidden: number): void {
    const { model, settings, trans } = this._options;
    setText(this._problem, model.problem ? trans.__('The ports cannot be listed: %1', model.problem) : '');
    this._problem.hidden = model.problem === null;
    this._table.hidden = chosen === 0;
    let status = trans._n('%1 port', '%1 ports', candidates);
    if (!model.known) {
      status = model.problem ? '' : trans.__('Looking for ports…');
    } else if (candidates === 0) {
      status = trans.__('Nothing listens on a port that you have not hidden.');
      if (hidden === 0 || this._withHidden) {
        status = trans.__('Nothing listens on a port.');
      }
    } else if (chosen < candidates) {
      status = trans.__('%1 of %2 ports', chosen, candidates);
    }
    setText(this._status, status);

    setText(this._more, this._withHidden ? trans.__('Leave out hidden') : trans.__('Show %1 hidden', hidden));
    this._more.hidden = hidden === 0;
    const announce = settings.get('announce');
    const state = announce ? trans.__('New ports are announced') : trans.__('New ports are not announced');
    setAttribute(this._bell, 'title', state);
    setAttribute(this._bell, 'aria-label', trans.__('Announce new ports'));
    setAttribute(this._bell, 'aria-pressed', String(announce));
  }

  private showRows(views: IRowView[]): void {
    const before = this._rows;
    this._rows = new Map();
    for (const view of views) {
      const key = `${view.port.port}:${view.port.pid}`;
      const row = before.get(key) ?? new PortRow(this._options);
      before.delete(key);
      row.show(view);
      this._rows.set(key, row);
    }
    for (const { node } of before.values()) {
      if (node.contains(document.activeElement)) {
        // Who works with the keyboard goes on from the next row.
        const next = [node.nextElementSibling, node.previousElementSibling, this._filter];
        next.find((one): one is HTMLElement => one instanceof HTMLElement)?.focus();
      }
      node.remove();
    }
    let place = this._body.firstElementChild;
    for (const { node } of this._rows.values()) {
      if (node === place) {
        place = place.nextElementSibling;
      } else {
        this._body.insertBefore(node, place);
      }
    }
  }

  private moveFocus(event: KeyboardEvent): void {
    const rows = [...this._rows.values()];
    const current = rows.findIndex(({ node }) => node.contains(document.activeElement));
    const targets: Record<string, number> = {
      ArrowDown: Math.min(current + 1, rows.length - 1),
      ArrowUp: Math.max(current - 1, 0),
      Home: 0,
      End: rows.length - 1
    };
    if (event.key in targets) {
      rows[targets[event.key]]?.node.focus();
    } else if (event.key === 'Enter' && event.target === rows[current]?.node) {
      rows[current].open();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private readonly _filter: HTMLInputElement;
  private readonly _bell: HTMLButtonElement;
  private readonly _problem: HTMLElement;
  private readonly _table: HTMLElement;
  private readonly _body: HTMLElement;
  private readonly _status: HTMLElement;
  private readonly _more: HTMLButtonElement;
  private _rows = new Map<string, PortRow>();
  private _withHidden = false;
  private readonly _shown = new Signal<this, boolean>(this);
}

interface IRowView {
  port: IKnownPort;
  /** What its owner is called. */
  owner: string;
  hidden: HiddenBecause;
}

/** A row of the table. */
class PortRow {
  constructor(private readonly _options: IPortsPanelOptions) {
    const { actions, settings } = _options;
    this._openButton = makeButton(launchIcon, () => this.open());
    this._tabButton = makeButton(tabIcon, () => this._view && actions.openTab?.(this._view.port));
    this._tabButton.hidden = actions.openTab === null;
    this._copyButton = makeButton(copyIcon, () => this._view && actions.copyLink(this._view.port));
    this._hideButton = makeButton(hideIcon, () => {
      if (this._view) {
        const change = this._view.hidden === 'listed' ? removeHidden : addHidden;
        settings.set('hidden', change(settings.get('hidden'), this._view.port.port));
      }
    });
    this._number = cell('rowheader', 'number');
    this._process = cell('cell', 'process');
    this._owner = cell('cell', 'owner');
    const buttons = cell('cell', 'actions', this._openButton, this._tabButton, this._copyButton, this._hideButton);
    this.node = element('div', `${CLASS}-row`, this._number, this._process, this._owner, buttons);
    this.node.setAttribute('role', 'row');
    this.node.tabIndex = 0;
  }

  readonly node: HTMLElement;

  open(): void {
    if (this._view) {
      this._options.actions.open(this._view.port);
    }
  }

  show(view: IRowView): void {
    const { trans } = this._options;
    const { port, owner, hidden } = view;
    const before = this._view;
    this._view = view;
    setText(this._number, String(port.port));
    setText(this._process, port.process);
    if (before?.owner !== owner || JSON.stringify(before?.port.owner) !== JSON.stringify(port.owner)) {
      this.showOwner(port.owner, owner);
    }
    this.node.classList.toggle('jp-mod-hidden', hidden !== null);
    const name = trans.__('Port %1, %2, %3', port.port, port.process, owner);
    setAttribute(this.node, 'aria-label', hidden ? trans.__('%1 (hidden)', name) : name);
    const details = [...port.addresses.map(join(port.port)), `PID ${port.pid}`, port.command];
    setAttribute(this.node, 'title', details.join('\n'));

    setName(this._openButton, trans.__('Open port %1 in a new browser tab', port.port));
    setName(this._tabButton, trans.__('Open port %1 in a JupyterLab tab', port.port));
    setName(this._copyButton, trans.__('Copy the link to port %1', port.port));
    const listed = hidden === 'listed';
    if (!before || (before.hidden === 'listed') !== listed) {
      setIcon(this._hideButton, listed ? showIcon : hideIcon);
    }
    const change = listed ? trans.__('Hide port %1 no more', port.port) : trans.__('Hide port %1', port.port);
    setName(this._hideButton, change);
    this._hideButton.hidden = hidden === 'internal';
  }

  private showOwner(owner: PortOwner | null, name: string): void {
    const { actions, trans } = this._options;
    const open = owner && actions.opener(owner);
    if (!owner || !open) {
      this._owner.replaceChildren(name);
      return;
    }
    const button = element('button', `${CLASS}-link`, name);
    button.type = 'button';
    setName(button, trans.__('Open %1', owner.kind === 'kernel' && owner.notebook ? owner.notebook : name));
    button.addEventListener('click', open);
    this._owner.replaceChildren(button);
  }

  private _view: IRowView | null = null;
  private readonly _number: HTMLElement;
  private readonly _process: HTMLElement;
  private readonly _owner: HTMLElement;
  private readonly _openButton: HTMLButtonElement;
  private readonly _tabButton: HTMLButtonElement;
  private readonly _copyButton: HTMLButtonElement;
  private readonly _hideButton: HTMLButtonElement;
}

// ---- elements

function makeHeadings(trans: TranslationBundle): HTMLElement {
  const titles = [trans.__('Port'), trans.__('Process'), trans.__('Opened by'), trans.__('Actions')];
  const headings = titles.map(title => {
    const heading = element('div', '', title);
    heading.setAttribute('role', 'columnheader');
    return heading;
  });
  const row = element('div', '', ...headings);
  row.setAttribute('role', 'row');
  const group = element('div', `${CLASS}-headings`, row);
  group.setAttribute('role', 'rowgroup');
  return group;
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function cell(role: string, name: string, ...children: Node[]): HTMLElement {
  const node = element('div', `${CLASS}-${name}`, ...children);
  node.setAttribute('role', role);
  return node;
}

function makeButton(icon: LabIcon, onClick: () => void): HTMLButtonElement {
  const button = element('button', `${CLASS}-button`);
  button.type = 'button';
  setIcon(button, icon);
  button.addEventListener('click', onClick);
  return button;
}

function setIcon(button: HTMLButtonElement, icon: LabIcon): void {
  button.replaceChildren(icon.element({ tag: 'span', elementSize: 'normal' }));
}

/** For those who see it, and for those who do not. */
function setName(node: HTMLElement, name: string): void {
  setAttribute(node, 'aria-label', name);
  setAttribute(node, 'title', name);
}

// What does not change is not touched: screen readers would tell it again.

function setAttribute(node: HTMLElement, name: string, value: string): void {
  if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

function join(port: number): (address: string) => string {
  return address => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
}
