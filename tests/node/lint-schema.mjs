// Lints the GraphQL schema with graphql-eslint (`schema-all` and `schema-relay`) and prints every finding as JSON.
// node lint-schema.mjs SCHEMA
//
// Exceptions are listed here, each with its reason. Everything else is linted, including every new type.
import { readFileSync } from 'node:fs';
import plugin from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';

// These types are parts of other objects, or computed for one response; no client refers to them by id.
const VALUE_TYPES = [
  'Availability', 'BookingChange', 'CampaignItem', 'CampaignPreview', 'CampaignProgress', 'Capabilities', 'Check', 'Conflict',
  'ConnectPrerequisite', 'ConnectedMailboxFailure', 'DirectoryPage', 'DirectoryPerson', 'ErasedRows',
  'ErasureReceipt', 'Guide', 'IntegrationDisconnectionPreview', 'MailboxCalendar', 'MailboxDisconnectionPreview', 'OpenIdIdentity',
  'PageInfo', 'Participant', 'ParticipantStatus', 'PermissionInfo', 'Reason', 'RoomRules', 'RunStep', 'Slot', 'SlotRefusal',
  'TermsAcceptance', 'TimeSpan', 'UnreadableItem', 'UnreadableItems', 'UserCalendar', 'Viewer', 'Workflow', 'WorkflowState',
];

// Clients list these objects and never fetch them individually.
const EDGES_WITHOUT_NODE = [
  'ApiKeyEdge', 'AuditEntryEdge', 'CampaignItemEdge', 'ErasureReceiptEdge', 'InvitationEdge', 'IssuedTokenEdge', 'OpenIdIdentityEdge', 'OpenIdIssuerEdge', 'RunStepEdge',
];

const off = (...names) => Object.fromEntries(names.map((name) => [`@graphql-eslint/${name}`, 'off']));
const on = (name, options) => ({ [`@graphql-eslint/${name}`]: ['error', options] });

const rules = {
  ...plugin.configs['flat/schema-all'].rules,
  ...plugin.configs['flat/schema-relay'].rules,
  ...off(
    // The interface's fields come first in the SDL that async-graphql writes.
    'alphabetize',
    // The schema has mutations and subscriptions.
    'no-root-type',
    // A mutation always returns a payload; `userErrors` contains the reasons for a refusal.
    'require-nullable-result-in-root',
    // Payloads contain the changed objects; a `Query` field would add its cost to each payload.
    'require-field-of-type-query-in-mutation-result',
  ),
  ...on('strict-id-in-types', {
    acceptedIdNames: ['id'],
    acceptedIdTypes: ['ID'],
    exceptions: { types: VALUE_TYPES, suffixes: ['Payload', 'Connection', 'Edge', 'Error'] },
  }),
  // Lists of bounded length are plain lists.
  ...on('relay-edge-types', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }),
};

const path = process.argv[2];
const eslint = new ESLint({
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['**/*.graphql'],
      languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: path } } },
      plugins: { '@graphql-eslint': plugin },
      rules,
    },
  ],
});
const text = readFileSync(path, 'utf8');
const lines = text.split('\n');

/** The type that encloses a line of the schema. */
const typeAt = (line) => {
  for (let index = line - 1; index >= 0; index -= 1) {
    const found = lines[index].match(/^(?:type|input|enum|interface|union|scalar) (\w+)/);
    if (found) return found[1];
  }
  return '';
};
const results = await eslint.lintText(text, { filePath: 'schema.graphql' });
const findings = results
  .flatMap(({ messages }) => messages)
  .map(({ ruleId, message, line }) => ({ rule: ruleId ?? 'parser', type: typeAt(line), line, message }))
  .filter(({ message, type }) => !(message.includes('must implement `Node`') && EDGES_WITHOUT_NODE.includes(type)));
const known = [...VALUE_TYPES, ...EDGES_WITHOUT_NODE];
const gone = known.filter((name) => !new RegExp(`^type ${name}\\b`, 'm').test(text));
console.log(JSON.stringify([...findings, ...gone.map((type) => ({ rule: 'exceptions', type, message: 'There is no such type.' }))]));
