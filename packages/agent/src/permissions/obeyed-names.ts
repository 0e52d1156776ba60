import type { Obeyed } from './obeyed-files.ts'

interface Listed extends Obeyed {
  /** File or directory names, at any depth; a directory stands for all in it. `*` is any part of a name. */
  names: string
  /** Also where a workspace lies in it: a hook is no less a hook there. */
  holdsWorkspaces?: boolean
}

const runs = (by: string, names: string): Listed => ({ by, runs: true, names })
const reads = (by: string, names: string): Listed => ({ by, runs: false, names })
const repository = (by: string, names: string): Listed => ({ by, runs: true, names, holdsWorkspaces: true })

/**
 * What other programs run or obey where they find it, without a word of their user. Not here: what somebody has to start, such as
 * package.json, Makefile, tests and the configuration of linters. It is code like the rest, and is read before it is run.
 */
export const OBEYED_NAMES: readonly Listed[] = [
  repository('git', '.git .gitconfig'),
  repository('Mercurial', '.hg .hgrc .hgsub .hgsubstate'),
  repository('Jujutsu', '.jj .jjconfig.toml'),
  repository('a version control system', '.svn .bzr .sl _darcs .pijul .fslckout _fossil_'),
  runs('git', '.githooks .git-hooks git_hooks .husky .huskyrc* .simple-git-hooks.* simple-git-hooks.* .ghooks'),
  runs('git', '.overcommit.yml .lintstagedrc* lint-staged.config.* .captainhook captainhook.json .arcconfig .arclint'),
  runs('git', '.lefthook lefthook.* .lefthook.* lefthook-local.* .lefthook-local.* .pre-commit-config.y*ml'),
  runs('git', '.pre-commit-hooks.y*ml prek.toml'),
  reads('git', '.gitattributes .gitmodules .lfsconfig .gitreview'),

  runs('npm', '.npmrc node.config.json'),
  runs('Yarn', '.yarnrc* .yarn yarn.config.cjs'),
  runs('pnpm', '.pnpmfile.* pnpmfile.* pnpm-workspace.y*ml .pnp.*'),
  runs('Bun', 'bunfig.toml .bunfig.toml'),
  runs('Cargo', '.cargo'),
  runs('pip', 'pip.conf pip.ini .pip .pydistutils.cfg .pypirc'),
  runs('uv', 'uv.toml'),
  runs('Python', 'sitecustomize.py usercustomize.py *.pth .pdbrc .pythonrc* .ipython'),
  runs('Ruby', '.bundle .irbrc .pryrc .rspec .gemrc .powrc .solargraph.yml .rdbgrc'),
  runs('Maven or Gradle', '.mvn .mavenrc .gradle .sbtopts .jvmopts'),
  runs('Bazel', '.bazelrc *.bazelrc .bazeliskrc .bazelversion .buckconfig* .watchmanconfig'),

  runs('direnv', '.envrc .envrc.* .direnv .direnvrc .autoenv* .shadowenv.d .rvmrc .localrc .ondirrc'),
  runs('mise', '.mise .mise.* .mise-tasks mise mise.toml mise.*.toml .rtx.toml'),
  runs('a version manager', '.tool-versions rust-toolchain rust-toolchain.toml .sdkmanrc .proto .prototools .hermit'),
  reads('a version manager', '.nvmrc .node-version .python-version .ruby-version .ruby-gemset .java-version .go-version'),
  reads('a program that loads .env', '.env .env.* .rbenv-vars .flaskenv'),

  runs('VS Code', '.vscode .vscode-* *.code-workspace'),
  runs('an editor', '.idea .zed .fleet .vs .nova .helix .kakrc *.sublime-project .settings .project .classpath'),
  runs('Vim', '.vimrc _vimrc .gvimrc .exrc _exrc .nvimrc .nvim .nvim.lua .vim .lvimrc .local.vimrc .lazy.lua .neoconf.json'),
  runs('Emacs', '.dir-locals*.el .emacs .emacs.d .emacs-project .projectile'),
  runs('a development container', '.devcontainer .devcontainer.json .gitpod* .idx .codesandbox .stackblitzrc .replit devfile.y*ml'),
  runs('a debugger', '.gdbinit .gdb* .lldbinit* .radare2rc .rizinrc'),
  runs('an interpreter', '.rprofile .renviron .rdata .ghci .ocamlinit .iex.exs .erlang .guile .sbclrc .octaverc .luarc.json'),

  runs('Claude Code', '.claude .claude.json'),
  runs('Codex', '.codex'),
  runs('Gemini', '.gemini .qwen'),
  runs('opencode', '.opencode opencode.json* .opencode.json*'),
  runs('Cursor', '.cursor'),
  runs('Continue', '.continue .continuerc.json'),
  runs('Aider', '.aider*'),
  runs('an agent that starts MCP servers', '.mcp.json mcp.json .mcp'),
  runs('an agent', '.agents .agent .amazonq .amp .augment .cline .codeium .cody .copilot .crush* crush.json .devin .factory'),
  runs('an agent', '.goose .junie .kilocode .kilocodemodes .kiro .openhands .pi .roo .roomodes .tabnine .trae .windsurf .zencoder'),
  runs('an agent', '.github/hooks .github/agents .github/chatmodes firebender.json'),
  runs('qmtcode', '.qmt .qmtcode'),
  reads('an agent', 'agents.md agents.*.md agent.md claude.md claude.*.md gemini.md qwen.md crush.md warp.md skill.md'),
  reads('an agent', 'copilot-instructions.md *.instructions.md *.prompt.md .github/instructions .github/prompts .github/skills'),
  reads('an agent', '.cursorrules .windsurfrules .clinerules* .roorules* .continuerules .goosehints .augment-guidelines .rules'),

  runs('a shell', '.bashrc .bash_* .profile .zshrc .zshenv .zprofile .zlogin .zlogout .kshrc .cshrc .tcshrc .login .inputrc'),
  runs('the desktop', '.xinitrc .xprofile .xsession* .pam_environment autorun.inf desktop.ini *.desktop library/launchagents'),
  runs('a program of its user', '.config .local/bin .ssh .gnupg .docker .kube .aws .curlrc .wgetrc .netrc .psqlrc .sqliterc'),
  runs('a program of its user', '.my.cnf .tmux.conf .screenrc .ansible ansible.cfg .terraformrc'),
  runs('a web server', '.htaccess .user.ini web.config'),
  reads('a build service', '.github .gitlab-ci.y*ml .gitlab .circleci .travis.y*ml .buildkite .drone.y*ml .woodpecker* .forgejo'),
  reads('a build service', '.gitea jenkinsfile azure-pipelines* bitbucket-pipelines* .teamcity appveyor.y*ml .cirrus.* .tekton'),
]
