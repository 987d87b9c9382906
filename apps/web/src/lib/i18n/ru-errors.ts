import type { ErrorCode } from '@tiny-forge/contracts/domain';
import type { ErrorSentences } from './values.ts';

const kinds: Readonly<Record<string, string>> = {
  deploy: 'развёртывание',
  stop: 'остановка',
  start: 'запуск',
  rollback: 'откат версии',
  promote: 'перенос в другую среду',
  snapshot: 'создание снимка',
  import: 'импорт снимка',
  restore: 'восстановление',
  'undo-restore': 'отмена восстановления',
  recover: 'разбор прерванного восстановления',
  delete: 'удаление',
};
const parts: Readonly<Record<string, string>> = {
  database: 'База данных',
  docker: 'Docker',
  temporal: 'Temporal',
  workers: 'Исполнитель',
  recovery: 'Разбор прерванного',
};

export const errorsRu: Readonly<Record<ErrorCode, ErrorSentences>> = {
  MALFORMED_BODY: (v) => `Запрос не удалось прочитать: ${v.name('why')}.`,
  BODY_TOO_LARGE: (v) => `Запрос больше предела ${v.bytes('limitBytes')}.`,
  UNSUPPORTED_MEDIA_TYPE: (v) => `Тип содержимого ${v.name('contentType')} здесь не принимается.`,
  VALIDATION_FAILED: (v) =>
    v.number('count') === 1
      ? `Неверно заполнено поле: ${v.name('fields')}.`
      : `Неверно заполнены поля: ${v.name('fields')}.`,
  UNAUTHENTICATED: () => 'Вы не вошли в систему.',
  BAD_CREDENTIALS: () => 'Неверное имя или пароль.',
  CSRF: () => 'Страница устарела; загрузите её заново.',
  FORBIDDEN: (v) => `Для этого нужно право ${v.name('permission')}.`,
  NOT_FOUND: (v) => (v.has('what') ? `Не найдено: ${v.name('what')}.` : 'По этому адресу ничего нет.'),
  METHOD_NOT_ALLOWED: () => 'По этому адресу ничего нет.',
  MISDIRECTED: (v) => `Сервер не отвечает на имя ${v.name('host')}.`,
  CONFIRM_REQUIRED: (v) => `Нет подтверждения ${v.name('header')}.`,
  CONFIRM_MISMATCH: () => 'Подтверждение относится к другому снимку. Посмотрите план ещё раз.',
  PLAN_CHANGED: (v) =>
    v.has('changed')
      ? `План изменился: ${v.raw('changed')}. Подтвердите заново.`
      : 'План изменился. Подтвердите заново.',
  REVISION_MISMATCH: () => 'Приложение тем временем кто-то изменил. Загрузите его заново и повторите правку.',
  THROTTLED: (v) => `Слишком много попыток. Следующая будет принята через ${v.seconds('retryAfterSeconds')}.`,
  LANE_FULL: (v) => `В очереди приложения уже столько операций, сколько можно: ${v.count('limit')}.`,
  IDEMPOTENCY_MISMATCH: () => 'Этот запрос уже был отправлен с другим содержимым. Откройте диалог заново.',
  STARTING: () => 'Tiny Forge запускается: сначала разбираем прерванные восстановления.',
  SERVICE_UNAVAILABLE: (v) =>
    v.has('since')
      ? `${parts[v.raw('part')] ?? v.name('part')} не отвечает с ${v.time('since')}; ничего не начато.`
      : `${parts[v.raw('part')] ?? v.name('part')} не отвечает; ничего не начато.`,
  SUBMIT_EXPIRED: () => 'Операцию не приняли вовремя, она не начнётся.',
  LANE_STUCK: () => 'Очередь приложения всё ещё занята операцией, которая уже закончилась.',
  INTERNAL: (v) => `Произошла непредвиденная ошибка. Подробности в журнале сервера, отчёт ${v.name('reportId')}.`,

  RANGE_NOT_SATISFIABLE: (v) => `В файле всего ${v.bytes('size')}.`,
  ENTRY_NOT_A_FILE: (v) => `Это не файл: ${v.name('entry')}. По ссылкам не переходим.`,
  ENTRY_NOT_A_FOLDER: (v) => `Это не папка: ${v.name('entry')}. По ссылкам не переходим.`,
  TOO_MANY_TRANSFERS: (v) => `Уже идёт столько передач данных снимков, сколько можно: ${v.count('limit')}.`,
  UPLOAD_TOO_LARGE: (v) => `Для архива нужно ${v.bytes('need')}; диск позволяет ${v.bytes('free')}.`,
  UPLOAD_INCOMPLETE: () => 'Архив загрузился не целиком.',
  UPLOAD_LOST: () => 'Загруженного файла на этом хосте больше нет.',
  IMPORT_NAMES_NO_VOLUME: (v) => `В архиве не сказано, какой это том; томов у приложения: ${v.count('count')}.`,

  NAME_TAKEN: (v) => `Приложение ${v.name('name')} уже есть в ${v.name('project')} / ${v.name('stage')}.`,
  OPERATION_IN_PROGRESS: (v) => `Уже идёт ${kinds[v.raw('kind')] ?? 'операция'}.`,
  WORKLOAD_HELD: () => 'Приложение заблокировано: одной из его операций сначала нужна ваша помощь.',
  VOLUME_IN_USE: (v) => `Папка ${v.name('path')} занята: ${v.name('user')}.`,
  VOLUME_WOULD_MOVE: (v) => `Из-за изменения поля ${v.name('field')} переместилась бы папка ${v.name('path')}.`,
  PAST_DECISION: () => 'Идёт замена; прервать уже нельзя. Потом восстановление можно будет отменить.',
  NOT_WAITING: () => 'Операция больше не ждёт решения.',
  NOT_REPLAYABLE: () => 'Заново можно запустить только операцию, которая не удалась.',
  NOT_UNDOABLE: () => 'Отменить можно только удавшееся восстановление, и только пока хранится его страховочный снимок.',
  OLD_TREE_KEPT: (v) => `Страховочного снимка нет; заменённые папки лежат здесь: ${v.name('paths')}.`,
  SNAPSHOT_PINNED: () => 'Снимок нужен операции, которую ещё можно отменить.',
  SNAPSHOT_NOT_READY: (v) => `Снимок не готов (${v.name('state')}).`,
  OPERATION_OPEN: (v) => `Поле ${v.name('field')} нельзя изменить, пока операция не закончена.`,

  RESTORE_BLOCKED: () => 'Восстановлению что-то мешает: посмотрите, что именно.',
  VOLUME_NOT_IN_CONFIG: (v) => `В приложении больше нет тома ${v.name('target')}.`,
  VOLUME_CHANGED: (v) => `Том ${v.name('target')} при создании снимка: ${v.name('was')}; сейчас: ${v.name('is')}.`,
  VOLUME_MISSING: (v) => `Нет папки ${v.name('path')}.`,
  VOLUME_NOT_CAPTURABLE: (v) =>
    `Том ${v.count('index')}: есть ссылки, которые его правило не сохраняет: ${v.name('paths')}.`,
  VOLUME_OUTSIDE_ROOTS: (v) => `Путь ${v.name('path')} лежит вне разрешённых папок (${v.name('roots')}).`,
  VOLUME_PATH_UNSAFE: (v) => `Путь ${v.name('path')} не является простым абсолютным путём: ${v.name('why')}.`,
  VOLUME_OVERLAP: (v) => `Папка ${v.name('path')} совпадает или пересекается с ${v.name('other')}.`,
  VOLUME_FORBIDDEN: (v) => `Папка ${v.name('path')} совпадает или пересекается с ${v.name('what')}.`,
  VOLUME_IS_MOUNT_POINT: (v) =>
    `${v.name('mount')} подключён в папке ${v.name('path')} или внутри неё, заменить такое нельзя.`,
  UNKNOWN_SCOPE: (v) => `Вид тома ${v.name('scope')} неизвестен; известны ${v.name('known')}.`,
  UNKNOWN_SOURCE_TYPE: (v) => `Вид источника ${v.name('type')} неизвестен; известны ${v.name('known')}.`,
  UNKNOWN_HOST: (v) => `Хост ${v.name('host')} неизвестен.`,
  FS_IDENTITY: (v) =>
    `Файловая система папки ${v.name('path')} не хранит время создания, и после сбоя папки не различить.`,
  RENAME_REFUSED: (v) => `Не удалось переименовать пробный файл в ${v.name('path')}: ${v.name('why')}.`,
  READ_ONLY_MOUNT: (v) => `Папка ${v.name('path')} на диске ${v.name('mount')}, он подключён только для чтения.`,
  DIRECTORY_IMMUTABLE: (v) => `Папку ${v.name('path')} нельзя переименовать: на ней флаг ${v.name('flag')}.`,
  FS_UNSUITABLE: (v) =>
    `Папка ${v.name('path')} лежит на ${v.name('fileSystem')}: там нельзя переименовать папку нижнего слоя.`,
  SELINUX_LABEL: (v) =>
    `У папки ${v.name('path')} метка ${v.name('label')}, а новая рядом получит ${v.name('parentLabel')}: приложение её не прочтёт.`,
  CAPABILITY_MISSING: (v) => `Серверу не хватает прав, чтобы вернуть владельцев и доступ: ${v.name('capabilities')}.`,
  USER_NAMESPACE: (v) =>
    `Сервер работает в пространстве пользователей, где есть не все владельцы: номеров ${v.count('ids')}.`,
  DIRECTORY_FOREIGN_USER: (v) => `Папка ${v.name('path')} подключена: ${v.name('user')}.`,
  SAFETY_NOT_SUPPORTED: () =>
    'Оставить старые папки вместо страховочного снимка можно только до замены. Этот шаг ждёт другого решения.',
  KEEPS_OLD_TREE: (v) => `Страховочного снимка не будет: останутся сами старые папки, дней: ${v.count('days')}.`,
  VOLUME_SWAPPED_INSIDE: (v) =>
    `Папка ${v.name('path')} — точка монтирования, её нельзя переименовать. Содержимое переносится поштучно, пока приложение стоит; до конца восстановления приложение видит в ней папки .restore-….`,
  QUIESCE_NONE: () => 'Снимок сделан на ходу, без паузы: данные будут как после внезапного сбоя.',
  IMAGE_DIFFERS: (v) => `Снимок сделан с образом ${v.name('was')}; сейчас работает ${v.name('is')}.`,
  VOLUME_NOT_TOUCHED: (v) => `Тома ${v.name('target')} нет в снимке, его не трогаем.`,

  INSUFFICIENT_SPACE: (v) => `На ${v.name('mount')} нужно ${v.bytes('need')}, есть ${v.bytes('free')}.`,
  INSUFFICIENT_INODES: (v) =>
    `На ${v.name('mount')} нужно индексных узлов: ${v.count('need')}, есть ${v.count('free')}.`,
  ARCHIVE_DAMAGED: (v) => `Снимок повреждён: ${v.name('entry')}.`,
  ARCHIVE_TAMPERED: () => 'Снимок изменён после создания; не доверяйте ему.',
  ARCHIVE_MISSING: () => 'Файла этого снимка нет на диске.',
  IO_ERROR: (v) => `Вызов ${v.name('call')} для ${v.name('path')} не удался: ${v.name('why')}.`,
  STOP_TIMEOUT: (v) => `Контейнер ${v.name('container')} не остановился за ${v.seconds('seconds')}.`,
  PAUSE_TOO_LONG: (v) => `Пауза заняла больше разрешённых ${v.seconds('seconds')}; приложение продолжает работу.`,
  LIVE_DATA_UNREADABLE: (v) =>
    `Нынешние данные не копируются: ${v.name('path')}: ${v.name('why')}. Приложение не останавливалось.`,
  SAFETY_SNAPSHOT_FAILED: (v) => `Нынешние данные не скопировались: ${v.name('why')}.`,
  IMAGE_MISSING: (v) => `Образа ${v.name(v.has('digest') ? 'digest' : 'image')} нет ни здесь, ни в реестре.`,
  APP_UNHEALTHY: (v) =>
    `Контейнер ${v.name('container')} не прошёл проверку за ${v.seconds('seconds')}: ${v.name('answer')}.`,
  APP_EXITED: (v) => `Контейнер ${v.name('container')} завершился с кодом ${v.name('exitCode')}, не пройдя проверку.`,
  DEPLOY_FAILED: (v) => `Docker отказал: ${v.name('why')}.`,
  PORT_TAKEN: (v) => `Порт ${v.name('port')} на хосте занят.`,
  CONTAINER_APPEARED: (v) => `Контейнер ${v.name('container')} использует папку ${v.name('path')}, которую заменяем.`,
  DATA_CHANGED: (v) => `Папка ${v.name('path')} уже не та, что была проверена.`,
  TX_STATE: (v) => `Журнал не допускает шаг ${v.name('step')}; возвращаем как было.`,
  TX_ROLLED_BACK: () => 'Изменение уже возвращается назад.',
  TX_OPEN: () => 'Прежнее восстановление этого приложения ещё не закрыто.',
  TX_CORRUPT: (v) => `Журнал ${v.name('path')} повреждён, байт ${v.count('offset')}.`,
  ROLLBACK_FAILED: (v) => `Том ${v.name('target')} не вернулся: ${v.name('why')}.`,
  UNDO_FAILED: (v) => `Возврат не удался на шаге ${v.name('step')}: ${v.name('why')}.`,
  WRONG_HOST: (v) => `Это хост ${v.name('host')}, а работа предназначена хосту ${v.name('expected')}.`,
  WORKLOAD_GONE: () => 'Приложение удалено.',
  DOCKER_AWAY: () => 'Docker не отвечает.',
  DOCKER_NOT_ON_THIS_HOST: (v) =>
    v.has('dockerHost')
      ? `Docker по адресу ${v.name('dockerHost')} не видит файлов этого хоста.`
      : 'Docker не видит файлов этого хоста.',
  HOST_OFFLINE: (v) => `Хост ${v.name('host')} молчит: шаг никто не взял в работу.`,
  LOST_BY_TEMPORAL: () => 'Temporal больше не знает этой операции; она ничего не успела изменить.',
  RECOVERED: () => 'Операция была прервана; её завершил разбор прерванного.',
  ABORTED: (v) => (v.has('who') ? `Прервано пользователем ${v.name('who')}.` : 'Прервано вручную.'),
  WAIT_ENDED: (v) => `За ${v.seconds('seconds')} никто не принял решения.`,
  CANCELLED: () => 'Шаг отменён.',

  SETTING_UNKNOWN: (v) => `Настройка ${v.name('name')} неизвестна.`,
  SETTING_INVALID: (v) => `Настройка ${v.name('name')} неверна: ${v.name('allowed')}.`,
  DATA_DIR_IN_USE: (v) => `Папка данных ${v.name('path')} занята процессом ${v.name('pid')}.`,
  DATA_DIR_UNUSABLE: (v) => `Папкой данных ${v.name('path')} нельзя пользоваться: ${v.name('why')}.`,
};
