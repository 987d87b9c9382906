/** One row of the settings table (libs/contracts). */
interface SettingRow {
  readonly name: string;
  readonly defaultText: string;
  readonly meaning: string;
}

/** What `npm start -- --help` prints. */
export function settingsHelp(settings: readonly SettingRow[], width = 98): string {
  const nameWidth = Math.max(...settings.map(({ name }) => name.length)) + 2;
  const lines = [
    'npm start            installs and builds what is needed, finds or provides Docker and Temporal,',
    '                     and starts Tiny Forge. Ctrl-C or SIGTERM stops it; workloads keep running.',
    'npm start -- --help  this page',
    '',
    'Settings are environment variables, for example: TINY_FORGE_PORT=4500 npm start',
    '',
  ];
  for (const { name, defaultText, meaning } of settings) {
    const [first = '', ...more] = wrap(meaning, width - nameWidth - 2);
    lines.push(`  ${name.padEnd(nameWidth)}${first}`);
    for (const line of [...more, `default: ${defaultText}`]) lines.push(`  ${''.padEnd(nameWidth)}${line}`);
  }
  return lines.join('\n');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
