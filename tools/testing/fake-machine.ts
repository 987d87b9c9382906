import type { CommandResult, Machine } from '../src/commands.ts';
import { createTerminal, type Terminal } from '../src/terminal.ts';

/** What a program of the fake machine does; nothing or `{}` is success without words. */
export type Answer = (args: readonly string[], cwd: string) => Partial<CommandResult> | void;

export interface FakeMachine extends Machine {
  /** Every command line that was run, in order. */
  readonly ran: string[];
  /** Programs on PATH; a test may add to it while it runs, as an installation does. */
  readonly programs: Map<string, string>;
}

export interface FakeMachineInit {
  readonly env?: NodeJS.ProcessEnv;
  readonly isRoot?: boolean;
  readonly hasApt?: boolean;
  readonly hasSystemd?: boolean;
  readonly platform?: string;
  /** Name to path. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Files that are executable beside the programs. */
  readonly executables?: (file: string) => boolean;
  readonly answers?: Readonly<Record<string, Answer>>;
}

/** A machine that has what the test says and writes down what is done to it. */
export function fakeMachine(init: FakeMachineInit = {}): FakeMachine {
  const programs = new Map(Object.entries(init.programs ?? {}));
  const ran: string[] = [];
  return {
    env: init.env ?? {},
    isRoot: init.isRoot ?? true,
    platform: init.platform ?? 'linux',
    hasApt: init.hasApt ?? true,
    hasSystemd: init.hasSystemd ?? false,
    which: (name) => programs.get(name) ?? null,
    isExecutable: (file) => [...programs.values()].includes(file) || (init.executables?.(file) ?? false),
    run: async (command, args, options) => {
      ran.push([command, ...args].join(' '));
      const answer = init.answers?.[command.split('/').at(-1) ?? '']?.(args, options?.cwd ?? '/');
      return { code: 0, stdout: '', stderr: '', ...answer };
    },
    ran,
    programs,
  };
}

export interface RecordingTerminal extends Terminal {
  text(): string;
}

export function recordingTerminal(): RecordingTerminal {
  let text = '';
  const take = (more: string): void => void (text += more);
  return { ...createTerminal(take, take), text: () => text };
}
