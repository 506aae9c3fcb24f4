// The command that shows the output of a server, and its tabs.

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { clearIcon, downloadIcon, runIcon, stopIcon, textEditorIcon } from '@jupyterlab/ui-components';

import { Api } from './api';
import { LogView } from './logview';
import { CommandIDs, IServers, PLUGIN } from './tokens';
import { exchange, makeButton, makeSwitch } from './toolbar';

export const logsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:logs`,
  description: 'Shows the output of servers as it is written.',
  autoStart: true,
  requires: [IServers],
  optional: [ILabShell, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ): void => {
    if (!labShell) {
      return; // a window of Notebook 7 shows one thing
    }
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    const api = new Api(app.serviceManager.serverSettings);
    const tracker = new WidgetTracker<MainAreaWidget<LogView>>({ namespace: 'server-proxy-log' });

    const make = (name: string): MainAreaWidget<LogView> => {
      const view = new LogView(name, api, trans);
      const tab = new MainAreaWidget({ content: view });
      tab.id = `server-proxy-log:${name}`;
      tab.title.label = trans.__('Log of %1', servers.get(name)?.title ?? name);
      tab.title.icon = textEditorIcon;
      tab.title.closable = true;
      addToolbar(tab, { app, servers, trans });
      return tab;
    };

    app.commands.addCommand(CommandIDs.showLog, {
      label: trans.__('Show Log'),
      execute: args => {
        const name = String(args.name);
        let tab = tracker.find(one => one.content.name === name);
        if (!tab) {
          tab = make(name);
          void tracker.add(tab);
        }
        if (!tab.isAttached) {
          labShell.add(tab, 'main', { mode: 'split-bottom' });
        }
        labShell.activateById(tab.id);
        return tab;
      }
    });

    if (restorer) {
      void restorer.restore(tracker, {
        command: CommandIDs.showLog,
        args: tab => ({ name: tab.content.name }),
        name: tab => tab.content.name
      });
    }
  }
};

interface IToolbarOptions {
  app: JupyterFrontEnd;
  servers: IServers;
  trans: TranslationBundle;
}

function addToolbar(tab: MainAreaWidget<LogView>, { app, servers, trans }: IToolbarOptions): void {
  const view = tab.content;
  const { name } = view;
  const act = (command: string) => () => void app.commands.execute(command, { name });

  const follow = makeSwitch(
    { label: trans.__('Follow'), tooltip: trans.__('Scroll to new lines') },
    view.scrolls,
    pressed => (view.scrolls = pressed)
  );
  view.scrollsChanged.connect((_, scrolls) => (follow.pressed = scrolls));
  tab.toolbar.addItem('follow', follow);

  const start = makeButton({
    icon: runIcon,
    label: trans.__('Start'),
    tooltip: trans.__('Start the server'),
    onClick: act(CommandIDs.start)
  });
  const restart = makeButton({
    label: trans.__('Restart'),
    tooltip: trans.__('Restart the server'),
    onClick: act(CommandIDs.restart)
  });
  const stop = makeButton({ icon: stopIcon, tooltip: trans.__('Stop the server'), onClick: act(CommandIDs.stop) });
  tab.toolbar.addItem('start', start);
  tab.toolbar.addItem('restart', restart);
  tab.toolbar.addItem('stop', stop);
  const showState = (): void => {
    const state = servers.get(name)?.state;
    if (state === 'stopped' || state === 'failed') {
      exchange([start], [restart, stop]);
    } else {
      exchange([restart, stop], [start]);
    }
  };
  showState();
  servers.changed.connect(showState, view); // until the view is disposed of

  const file = `${name.replace(/\//g, '-')}.log`;
  tab.toolbar.addItem(
    'download',
    makeButton({
      icon: downloadIcon,
      tooltip: trans.__('Download the output'),
      onClick: () => download(file, view.text)
    })
  );
  tab.toolbar.addItem(
    'clear',
    makeButton({ icon: clearIcon, tooltip: trans.__('Clear what is shown'), onClick: () => view.clear() })
  );
}

function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.download = name;
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
