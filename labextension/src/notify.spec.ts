import { nullTranslator } from '@jupyterlab/translation';

import { IServer } from './api';
import { messageOf } from './notify';

const trans = nullTranslator.load('');
const server = (more: Partial<IServer>): IServer =>
  ({ name: 'x', title: 'X', state: 'ready', since: '1', last_exit: null, failure: null, ...more }) as IServer;
const exit = (code: number | null, signal: string | null = null): IServer['last_exit'] => ({ code, signal, time: '2' });

describe('messageOf', () => {
  const ready = server({});

  it.each<[string, IServer, IServer | null, string | null]>([
    ['what was not known before', server({ state: 'failed' }), null, null],
    ['a start that failed', server({ state: 'failed', failure: { message: 'why' } as never }), ready, 'why'],
    ['a crash', server({ state: 'stopped', last_exit: exit(3) }), ready, 'X has ended with status 3.'],
    ['a signal', server({ state: 'stopped', last_exit: exit(null, 'SIGKILL') }), ready, 'X was ended by SIGKILL.'],
    ['a crash after which it runs again', server({ since: '3', last_exit: exit(1) }), ready, 'X has ended with status 1.'],
    ['a stop that was asked for', server({ state: 'stopped', last_exit: exit(null, 'SIGTERM') }), ready, null],
    ['an end with 0', server({ state: 'stopped', last_exit: exit(0) }), ready, null],
    ['an exit that is old', server({ state: 'stopped', last_exit: exit(3) }), server({ last_exit: exit(3) }), null]
  ])('%s', (_, now, previous, message) => {
    expect(messageOf({ server: now, previous }, trans)).toBe(message);
  });
});
