// Lints the GraphQL schema with graphql-eslint (`schema-all` and `schema-relay`) and prints every finding as JSON.
// node lint-schema.mjs SCHEMA
//
// What is left out is named here, with its reason. Whatever is not named is linted, so a new type is linted from the
// day it is written.
import { readFileSync } from 'node:fs';
import plugin from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';

// These are parts of other objects, or computed for one answer: nobody refers to one of them by an id.
const VALUE_TYPES = [
  'Availability', 'BookingChange', 'CampaignItem', 'CampaignPreview', 'CampaignProgress', 'Capabilities', 'Check', 'Conflict',
  'ConnectPrerequisite', 'ConnectedMailboxFailure', 'DirectoryPage', 'DirectoryPerson', 'MailboxCalendar', 'OpenIdIdentity',
  'PageInfo', 'Participant', 'ParticipantStatus', 'PermissionInfo', 'Reason', 'RoomRules', 'RunStep', 'Slot', 'SlotRefusal',
  'TermsAcceptance', 'TimeSpan', 'UnreadableItem', 'UnreadableItems', 'UserCalendar', 'Viewer', 'Workflow', 'WorkflowState',
];

// These are listed and never fetched one by one.
const EDGES_WITHOUT_NODE = [
  'ApiKeyEdge', 'AuditEntryEdge', 'CampaignItemEdge', 'IssuedTokenEdge', 'OpenIdIdentityEdge', 'OpenIdIssuerEdge', 'RunStepEdge',
];

const off = (...names) => Object.fromEntries(names.map((name) => [`@graphql-eslint/${name}`, 'off']));
const on = (name, options) => ({ [`@graphql-eslint/${name}`]: ['error', options] });

const rules = {
  ...plugin.configs['flat/schema-all'].rules,
  ...plugin.configs['flat/schema-relay'].rules,
  ...off(
    // The interface's fields come first in the SDL that async-graphql writes.
    'alphabetize',
    // There are mutations and subscriptions.
    'no-root-type',
    // A payload always comes; what was refused stands in its `userErrors`.
    'require-nullable-result-in-root',
    // Payloads carry what they changed; the whole of `Query` in each would be priced with each.
    'require-field-of-type-query-in-mutation-result',
  ),
  ...on('strict-id-in-types', {
    acceptedIdNames: ['id'],
    acceptedIdTypes: ['ID'],
    exceptions: { types: VALUE_TYPES, suffixes: ['Payload', 'Connection', 'Edge', 'Error'] },
  }),
  // Lists whose length is bounded are plain lists.
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

/** The type that a line of the schema stands in. */
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
