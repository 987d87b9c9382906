import { describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode } from '@tiny-forge/contracts/domain';
import { en } from './en.ts';
import { Format } from './format.ts';
import { renderCode } from './render.ts';
import { ru } from './ru.ts';
import { Values } from './values.ts';
import { plain } from './visible.ts';

const english = new Format('en', 'UTC', en.units);
const russian = new Format('ru', 'UTC', ru.units);
const codes = Object.keys(ERRORS) as ErrorCode[];

function keys(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => keys(inner, path === '' ? key : `${path}.${key}`));
}

describe('UX7: both catalogues', () => {
  it('have the same keys', () => {
    expect(keys(ru).sort()).toEqual(keys(en).sort());
  });

  it('leave no sentence empty', () => {
    const empty = (value: unknown, path = ''): string[] =>
      typeof value === 'string'
        ? value.trim() === ''
          ? [path]
          : []
        : typeof value === 'object' && value !== null
          ? Object.entries(value).flatMap(([key, inner]) => empty(inner, `${path}.${key}`))
          : [];
    expect(empty(en)).toEqual([]);
    expect(empty(ru)).toEqual([]);
  });

  it.each([
    [1, '1 файл', '1 file'],
    [2, '2 файла', '2 files'],
    [5, '5 файлов', '5 files'],
    [21, '21 файл', '21 files'],
    [11, '11 файлов', '11 files'],
    [1.5, '1,5 файла', '1.5 files'],
  ])('count %d', (count, inRussian, inEnglish) => {
    expect(ru.counts.files(count, russian.number(count))).toBe(inRussian);
    expect(en.counts.files(count, english.number(count))).toBe(inEnglish);
  });

  it('Russian speaks Russian: no Latin words outside names, commands and settled terms', () => {
    const settled =
      /Tiny Forge|\btar\b|\bgzip\b|\bzstd\b|Temporal|Docker|docker (load|pull|run|stop)|TINY_FORGE_\w+|npm run [\w:-]+|Authorization: Bearer|UTC|inode|https?|root|system:admin|ext4|xfs|btrfs|\.restore-\*|Ctrl\+C|guestbook:1|\b(http|tcp|exec|docker|stable)\b|g w, g o, g s/g;
    const strings = (value: unknown): string[] =>
      typeof value === 'string'
        ? [value]
        : typeof value === 'object' && value !== null
          ? Object.values(value).flatMap(strings)
          : [];
    const { errors: _errors, brand: _brand, ...rest } = ru;
    const latin = strings(rest).filter((text) => /[A-Za-z]{2,}/.test(text.replace(settled, '')));
    expect(latin).toEqual([]);
  });
});

describe('every code of the contract', () => {
  /** Values for each parameter the English template of the contract names. */
  function paramsOf(code: ErrorCode): Record<string, string | number> {
    const names = [...ERRORS[code].detail.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
    return Object.fromEntries(
      names.map((name) => [name, /count|seconds|limit|need|free|offset|index/i.test(name) ? 7 : `‹${name}›`]),
    );
  }

  it.each(codes)('%s is a sentence in both languages', (code) => {
    for (const [messages, format] of [
      [en, english],
      [ru, russian],
    ] as const) {
      expect(Object.keys(messages.errors)).toContain(code);
      const text = plain(renderCode(messages, format, code, paramsOf(code), 0));
      expect(text).toMatch(/[.!?…]$/);
      expect(text).not.toMatch(/undefined|NaN|\{|\[object/);
    }
    expect(renderCode(ru, russian, code, paramsOf(code), 0)).toMatch(/[А-Яа-я]{3}/);
  });

  it('has no sentence for a code that does not exist', () => {
    expect(Object.keys(en.errors).sort()).toEqual([...codes].sort());
  });

  it('an unknown code shows as itself', () => {
    expect(plain(renderCode(en, english, 'FROM_TOMORROW', {}, 0))).toContain('FROM_TOMORROW');
  });
});

describe('the words that were agreed', () => {
  const d = '3 s';
  const t = '02:20';
  it.each([
    [en.now.running, 'The app is running.'],
    [en.now.stopped(d), 'The app is stopped (3 s so far).'],
    [en.now.unhealthy, 'The app runs but fails its health check.'],
    [en.now.absent, 'The app is not deployed.'],
    [en.now.current, 'Its data is untouched.'],
    [en.now.staged, 'Its data is untouched; the snapshot is unpacked beside it.'],
    [en.now.unclear, 'Data is between the two states; both copies are kept.'],
    [en.now.restored(t), 'Its data is the snapshot of 02:20; the data of before is kept.'],
    [en.restore.loss(d, t), 'All written since then (3 s) leaves the app; a safety snapshot keeps it until 02:20.'],
    [en.restore.promise, "If anything fails, today's data and app come back."],
    [plain(en.restore.confirm('guestbook')), 'Type guestbook to confirm'],
    [en.restore.result.WAITING(t), 'Your decision, please. Without it all goes back at 02:20.'],
    [en.restore.result.SUCCEEDED(d), 'Restored. The app was down for 3 s.'],
    [en.restore.result.ROLLED_BACK, 'Not restored; all is as before.'],
    [en.restore.result.CANCELLED, 'Not restored; all is as before.'],
    [en.restore.result.FAILED, 'Not restored: nothing was stopped, nothing changed.'],
    [en.restore.result.NEEDS_OPERATOR, 'Needs you. The app stays stopped; both copies of the data are kept.'],
    [en.connection.stale(t), 'Connection lost; as of 02:20. Closing the page stops nothing.'],
    [en.session.ended, 'Session ended; nothing was interrupted. Sign in.'],
    [ru.now.running, 'Приложение работает.'],
    [ru.now.stopped('3 с'), 'Приложение остановлено (уже 3 с).'],
    [ru.now.unhealthy, 'Приложение запущено, но проверку не проходит.'],
    [ru.now.absent, 'Приложение не развёрнуто.'],
    [ru.now.current, 'Данные не тронуты.'],
    [ru.now.staged, 'Данные не тронуты; снимок распакован рядом.'],
    [ru.now.unclear, 'Данные между двумя состояниями; обе копии целы.'],
    [ru.now.restored(t), 'В нём данные из снимка от 02:20; прежние сохранены.'],
    [
      ru.restore.loss('3 с', t),
      'Всё, что записано с тех пор (3 с), уйдёт из приложения; страховочный снимок хранит это до 02:20.',
    ],
    [ru.restore.promise, 'Если что-то не получится, вернём нынешние данные и приложение.'],
    [plain(ru.restore.confirm('guestbook')), 'Для подтверждения введите guestbook'],
    [ru.restore.result.WAITING(t), 'Нужно ваше решение. Без него в 02:20 вернём как было.'],
    [ru.restore.result.SUCCEEDED('3 с'), 'Восстановлено. Приложение не работало 3 с.'],
    [ru.restore.result.ROLLED_BACK, 'Не восстановлено; всё как было.'],
    [ru.restore.result.FAILED, 'Не восстановлено: ничего не остановлено и не изменено.'],
    [ru.restore.result.NEEDS_OPERATOR, 'Нужна ваша помощь. Приложение не запускаем; обе копии данных целы.'],
    [ru.connection.stale(t), 'Нет связи; состояние на 02:20. Если закрыть страницу, ничего не прервётся.'],
    [ru.session.ended, 'Сеанс истёк; ничего не прервано. Войдите снова.'],
    [en.actions.retryStep, 'Try step again'],
    [ru.actions.retryStep, 'Повторить шаг'],
    [en.actions.goBackNow, 'Go back now'],
    [ru.actions.goBackNow, 'Вернуть как было'],
    [en.actions.checkAgain, 'Check again'],
    [ru.actions.checkAgain, 'Проверить ещё раз'],
    [en.actions.choose, 'Choose another snapshot'],
    [ru.actions.choose, 'Выбрать другой снимок'],
    [en.actions.stopAndGoBack, 'Stop and go back'],
    [ru.actions.stopAndGoBack, 'Прервать и вернуть'],
    [en.actions.runAgain, 'Run again…'],
    [ru.actions.runAgain, 'Запустить заново…'],
  ])('%s', (said, agreed) => {
    expect(said).toBe(agreed);
  });

  const gib = 1024 ** 3;
  it.each([
    ['OPERATION_IN_PROGRESS', { kind: 'restore' }, 'A restore is already running.', 'Уже идёт восстановление.'],
    [
      'PLAN_CHANGED',
      { changed: 'image' },
      'The plan changed: image. Confirm again.',
      'План изменился: image. Подтвердите заново.',
    ],
    [
      'INSUFFICIENT_SPACE',
      { mount: '/srv', need: 2.4 * gib, free: gib },
      '/srv needs 2.4 GiB, has 1 GiB.',
      'На /srv нужно 2,4 ГиБ, есть 1 ГиБ.',
    ],
    ['ARCHIVE_DAMAGED', { entry: '0/a' }, 'Snapshot damaged at 0/a.', 'Снимок повреждён: 0/a.'],
    [
      'ARCHIVE_TAMPERED',
      {},
      'Snapshot altered after capture; do not trust it.',
      'Снимок изменён после создания; не доверяйте ему.',
    ],
    [
      'VOLUME_NOT_IN_CONFIG',
      { target: '/data' },
      'The app no longer has /data.',
      'В приложении больше нет тома /data.',
    ],
    [
      'STOP_TIMEOUT',
      { container: 'app-1', seconds: 10 },
      'app-1 did not stop in 10 s.',
      'Контейнер app-1 не остановился за 10 с.',
    ],
    [
      'SAFETY_SNAPSHOT_FAILED',
      { why: 'EIO' },
      "Today's data cannot be copied: EIO.",
      'Нынешние данные не скопировались: EIO.',
    ],
    [
      'IMAGE_MISSING',
      { image: 'a:1' },
      'Image a:1 is not here nor in the registry.',
      'Образа a:1 нет ни здесь, ни в реестре.',
    ],
    [
      'APP_UNHEALTHY',
      { container: 'app-1', seconds: 60, answer: 'HTTP 502' },
      'app-1 not healthy in 60 s: HTTP 502.',
      'Контейнер app-1 не прошёл проверку за 60 с: HTTP 502.',
    ],
    [
      'ROLLBACK_FAILED',
      { target: '/files', why: 'EBUSY' },
      '/files not put back: EBUSY.',
      'Том /files не вернулся: EBUSY.',
    ],
    [
      'SERVICE_UNAVAILABLE',
      { part: 'docker', since: '1970-01-01T00:00:00Z' },
      'Docker silent since 00:00; nothing began.',
      'Docker не отвечает с 00:00; ничего не начато.',
    ],
  ] as const)('%s', (code, params, inEnglish, inRussian) => {
    const read = (text: string) => plain(text).replaceAll('\u00a0', ' ');
    expect(read(renderCode(en, english, code, params, 0))).toBe(inEnglish);
    expect(read(renderCode(ru, russian, code, params, 0))).toBe(inRussian);
  });
});

it('reads numbers that came as text, and shows text that is no number as it is', () => {
  const values = new Values({ a: '2048', b: '2.0 KiB', c: null }, english, 0);
  expect(values.bytes('a')).toBe('2\u00a0KiB');
  expect(plain(values.bytes('b'))).toBe('2.0 KiB');
  expect(plain(values.bytes('c'))).toBe('–');
});
