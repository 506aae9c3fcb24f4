// Messages when a server that this user has opened fails, or ends by itself.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { CommandIDs, IOpener, IServers, IStateChange, PLUGIN } from './tokens';

/**
 * What to say about a change, or null for nothing.
 *
 * Stops that somebody has asked for end a process by SIGTERM, or with 0: about them nothing is said.
 */
export function messageOf({ server, previous }: IStateChange, trans: TranslationBundle): string | null {
  if (!previous) {
    return null;
  }
  if (server.state === 'failed') {
    return server.failure?.message ?? trans.__('%1 could not be started.', server.title);
  }
  const exit = server.last_exit;
  if (previous.state !== 'ready' || !exit || exit.time === previous.last_exit?.time) {
    return null;
  }
  if (exit.signal === 'SIGTERM' || exit.code === 0) {
    return null;
  }
  return exit.signal
    ? trans.__('%1 was ended by %2.', server.title, exit.signal)
    : trans.__('%1 has ended with status %2.', server.title, exit.code ?? '?');
}

export const notifyPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:notify`,
  description: 'Tells when a server that was opened fails, or ends by itself.',
  autoStart: true,
  requires: [IServers, IOpener],
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    servers: IServers,
    opener: IOpener,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_server_proxy');
    let wanted = true;
    if (registry) {
      const read = (settings: ISettingRegistry.ISettings): void => {
        wanted = settings.get('failures').composite as boolean;
      };
      registry.load(`${PLUGIN}:notify`).then(
        settings => {
          read(settings);
          settings.changed.connect(read);
        },
        reason => console.error('The settings of server-proxy cannot be loaded', reason)
      );
    }
    servers.stateChanged.connect((_, change) => {
      const { name } = change.server;
      const message = wanted && opener.opened.has(name) ? messageOf(change, trans) : null;
      if (message === null) {
        return;
      }
      const actions = [
        { label: trans.__('Restart'), callback: () => void app.commands.execute(CommandIDs.restart, { name }) }
      ];
      if (app.commands.hasCommand(CommandIDs.showLog)) {
        actions.unshift({
          label: trans.__('Show log'),
          callback: () => void app.commands.execute(CommandIDs.showLog, { name })
        });
      }
      Notification.emit(message, 'error', { autoClose: 20000, actions });
    });
  }
};
