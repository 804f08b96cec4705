/*
 * Presets: roots that are there on some hosts and not on others. What is granted is named: of what
 * holds sockets beside other things (/run/systemd/resolve) only files, and nothing of what holds
 * secrets beside other things (.npmrc, pip.conf, .cargo/credentials.toml, .local/share/uv).
 */
#include "sandbox/policy.h"

#include <limits.h>
#include <string.h>

struct preset_root {
	enum sandbox_preset preset;
	enum sandbox_root kind;
	const char *path;
};

#define SYSTEM_EXEC(path)                                                                          \
	{                                                                                          \
		SANDBOX_PRESET_SYSTEM, SANDBOX_ROOT_EXEC, path                                     \
	}
#define SYSTEM_READ(path)                                                                          \
	{                                                                                          \
		SANDBOX_PRESET_SYSTEM, SANDBOX_ROOT_READ, path                                     \
	}
#define SYSTEM_DENY(path)                                                                          \
	{                                                                                          \
		SANDBOX_PRESET_SYSTEM, SANDBOX_ROOT_DENY, path                                     \
	}
#define DEVICE(path)                                                                               \
	{                                                                                          \
		SANDBOX_PRESET_DEV, SANDBOX_ROOT_WRITE, path                                       \
	}
#define DEVICE_READ(path)                                                                          \
	{                                                                                          \
		SANDBOX_PRESET_DEV, SANDBOX_ROOT_READ, path                                        \
	}
#define TOOLCHAIN_EXEC(dir)                                                                        \
	{                                                                                          \
		SANDBOX_PRESET_TOOLCHAINS, SANDBOX_ROOT_EXEC, "$HOME/" dir                         \
	}
#define TOOLCHAIN(path)                                                                            \
	{                                                                                          \
		SANDBOX_PRESET_TOOLCHAINS, SANDBOX_ROOT_READ, "$HOME/" path                        \
	}
#define SECRET(path)                                                                               \
	{                                                                                          \
		SANDBOX_PRESET_SECRETS, SANDBOX_ROOT_DENY, "$HOME/" path                           \
	}

static const struct preset_root roots[] = {
	SYSTEM_EXEC("/usr"),
	SYSTEM_EXEC("/bin"),
	SYSTEM_EXEC("/sbin"),
	SYSTEM_EXEC("/lib"),
	SYSTEM_EXEC("/lib32"),
	SYSTEM_EXEC("/lib64"),
	SYSTEM_EXEC("/libx32"),
	SYSTEM_EXEC("/opt"),
	SYSTEM_EXEC("/nix/store"),
	SYSTEM_EXEC("/gnu/store"),
	SYSTEM_EXEC("/run/current-system"),
	SYSTEM_READ("/etc"),
	SYSTEM_READ("/proc"),
	SYSTEM_READ("/sys"),
	SYSTEM_READ("/var/lib/apt"),
	SYSTEM_READ("/var/lib/aspell"),
	SYSTEM_READ("/var/lib/ca-certificates"),
	SYSTEM_READ("/var/lib/dpkg"),
	SYSTEM_READ("/var/lib/gems"),
	SYSTEM_READ("/var/lib/ghc"),
	SYSTEM_READ("/var/lib/rpm"),
	SYSTEM_READ("/var/lib/texmf"),
	SYSTEM_READ("/var/cache/man"),
	SYSTEM_READ("/var/cache/fontconfig"),
	SYSTEM_READ("/run/resolvconf/resolv.conf"),
	SYSTEM_READ("/run/systemd/resolve/resolv.conf"),
	SYSTEM_READ("/run/systemd/resolve/stub-resolv.conf"),
	SYSTEM_READ("/run/NetworkManager/resolv.conf"),
	SYSTEM_DENY("/etc/shadow"),
	SYSTEM_DENY("/etc/shadow-"),
	SYSTEM_DENY("/etc/gshadow"),
	SYSTEM_DENY("/etc/gshadow-"),
	SYSTEM_DENY("/etc/security/opasswd"),
	SYSTEM_DENY("/etc/sudoers"),
	SYSTEM_DENY("/etc/sudoers.d"),
	SYSTEM_DENY("/etc/krb5.keytab"),
	SYSTEM_DENY("/etc/ssl/private"),
	SYSTEM_DENY("/etc/pki/tls/private"),
	SYSTEM_DENY("/etc/ssh/ssh_host_dsa_key"),
	SYSTEM_DENY("/etc/ssh/ssh_host_ecdsa_key"),
	SYSTEM_DENY("/etc/ssh/ssh_host_ed25519_key"),
	SYSTEM_DENY("/etc/ssh/ssh_host_rsa_key"),
	SYSTEM_DENY("/etc/letsencrypt"),
	SYSTEM_DENY("/etc/kubernetes"),
	SYSTEM_DENY("/etc/rancher"),
	SYSTEM_DENY("/etc/apt/auth.conf"),
	SYSTEM_DENY("/etc/apt/auth.conf.d"),
	SYSTEM_DENY("/etc/ipsec.secrets"),
	SYSTEM_DENY("/etc/ipsec.d/private"),
	SYSTEM_DENY("/etc/swanctl/private"),
	SYSTEM_DENY("/etc/openvpn"),
	SYSTEM_DENY("/etc/ppp/chap-secrets"),
	SYSTEM_DENY("/etc/ppp/pap-secrets"),
	SYSTEM_DENY("/etc/wpa_supplicant"),
	SYSTEM_DENY("/etc/wireguard"),
	SYSTEM_DENY("/etc/NetworkManager/system-connections"),
	SYSTEM_DENY("/proc/kcore"),
	SYSTEM_DENY("/proc/kmsg"),
	SYSTEM_DENY("/proc/sysrq-trigger"),
	SYSTEM_DENY("/sys/kernel/debug"),
	SYSTEM_DENY("/sys/kernel/tracing"),
	SYSTEM_DENY("/sys/firmware"),

	DEVICE("/dev/null"),
	DEVICE("/dev/zero"),
	DEVICE("/dev/full"),
	DEVICE("/dev/tty"),
	DEVICE("/dev/ptmx"),
	DEVICE("/dev/pts"),
	DEVICE_READ("/dev/random"),
	DEVICE_READ("/dev/urandom"),

	TOOLCHAIN(".gitconfig"),
	TOOLCHAIN(".gitignore"),
	TOOLCHAIN(".config/git/config"),
	TOOLCHAIN(".config/git/ignore"),
	TOOLCHAIN(".config/git/attributes"),
	TOOLCHAIN(".editorconfig"),
	TOOLCHAIN(".cargo/config.toml"),
	TOOLCHAIN(".cargo/registry"),
	TOOLCHAIN(".cargo/git"),
	TOOLCHAIN(".config/go/env"),
	TOOLCHAIN_EXEC(".cargo/bin"),
	TOOLCHAIN_EXEC(".rustup"),
	TOOLCHAIN_EXEC("go"),
	TOOLCHAIN_EXEC(".local/bin"),
	TOOLCHAIN_EXEC(".local/lib"),
	TOOLCHAIN_EXEC(".local/share/uv/python"),
	TOOLCHAIN_EXEC(".local/share/uv/tools"),
	TOOLCHAIN_EXEC(".local/share/mise/installs"),
	TOOLCHAIN_EXEC(".nvm"),
	TOOLCHAIN_EXEC(".pyenv"),
	TOOLCHAIN_EXEC(".rbenv"),
	TOOLCHAIN_EXEC(".asdf"),
	TOOLCHAIN_EXEC(".volta"),
	TOOLCHAIN_EXEC(".sdkman/candidates"),

	SECRET(".ssh"),
	SECRET(".gnupg"),
	SECRET(".aws"),
	SECRET(".azure"),
	SECRET(".config/gcloud"),
	SECRET(".config/gh"),
	SECRET(".config/glab-cli"),
	SECRET(".config/containers/auth.json"),
	SECRET(".config/rclone"),
	SECRET(".config/git/credentials"),
	SECRET(".config/op"),
	SECRET(".config/sops"),
	SECRET(".docker"),
	SECRET(".kube"),
	SECRET(".git-credentials"),
	SECRET(".netrc"),
	SECRET(".npmrc"),
	SECRET(".pypirc"),
	SECRET(".pgpass"),
	SECRET(".my.cnf"),
	SECRET(".cargo/credentials"),
	SECRET(".cargo/credentials.toml"),
	SECRET(".gem/credentials"),
	SECRET(".terraform.d"),
	SECRET(".vault-token"),
	SECRET(".password-store"),
	SECRET(".local/share/keyrings"),
	SECRET(".local/share/uv/credentials"),
	SECRET(".mozilla"),
	SECRET(".config/chromium"),
	SECRET(".config/google-chrome"),
	SECRET(".bash_history"),
	SECRET(".zsh_history"),
};

static bool is_of(const struct sandbox_policy *policy, const struct preset_root *root,
		  enum sandbox_preset preset)
{
	/* Without a HOME there is nothing of it to be granted or denied. */
	return root->preset == preset && (root->path[0] != '$' || policy->places[POLICY_HOME]);
}

static int add_one(struct sandbox_policy *policy, const struct preset_root *root, struct error *err)
{
	char path[PATH_MAX];
	struct policy_root own = {
		.path = path, .kind = root->kind, .optional = true, .preset = true};
	int rc = policy_write_path(policy, root->path, path, &own.len, err);

	if (rc < 0)
		return rc;
	return policy_roots_override(&policy->roots, &own)
		       ? 0
		       : policy_roots_put(policy, &policy->roots, &own, err);
}

int sandbox_policy_add_preset(struct sandbox_policy *policy, enum sandbox_preset preset,
			      struct error *err)
{
	size_t before = policy->roots.count;

	if ((int)preset < 0 || preset >= SANDBOX_PRESETS)
		return error_set(err, ERR_INVALID, "there is no preset %d", (int)preset);
	if (preset == SANDBOX_PRESET_SECRETS && !policy->places[POLICY_HOME])
		policy->home_missed = true;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		int rc = is_of(policy, &roots[i], preset) ? add_one(policy, &roots[i], err) : 0;

		if (rc < 0) {
			policy->roots.count = before;
			return rc;
		}
	}
	return 0;
}
