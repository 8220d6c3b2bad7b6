//! Words that columns hold, as enums. They are stored as `snake_case` text.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

/// An enum stored as text; `as_str` and `Display` give the stored word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident $(+ $extra:ident)* { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, $($extra,)* EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
        #[sea_orm(rs_type = "String", db_type = "Text")]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[sea_orm(string_value = $word)] $variant,)*
        }

        impl $name {
            /// The word as stored.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// A role in a namespace; the order is the order of power.
    Role + PartialOrd + Ord {
        Reader = "reader",
        Manager = "manager",
        Admin = "admin",
    }
}

words! {
    /// Whether a ref is one that releases are made from. Builds of the others leave no trace in its caches.
    Protection {
        Protected = "protected",
        Unprotected = "unprotected",
    }
}

words! {
    /// Who may pull without a role.
    Visibility {
        Public = "public",
        Private = "private",
    }
}

words! {
    /// A provisional repository has no manifest yet and is seen by nobody. One that is being deleted owns no name any
    /// more, and is seen by nobody but the job that removes it.
    RepositoryState {
        Provisional = "provisional",
        Live = "live",
        Deleting = "deleting",
    }
}

words! {
    /// What the bytes of an object are.
    ObjectKind {
        Blob = "blob",
        Log = "log",
    }
}

words! {
    /// `unowned ⇄ owned`, and `unowned → removing`; then the row is gone.
    ObjectState {
        Unowned = "unowned",
        Owned = "owned",
        Removing = "removing",
    }
}

words! {
    /// Which table's row names an object.
    OwnerKind {
        Upload = "upload",
        Blob = "blob",
        Log = "log",
    }
}

words! {
    /// `live → condemned → deleting`; then the row is gone.
    BlobState {
        Live = "live",
        Condemned = "condemned",
        Deleting = "deleting",
    }
}

words! {
    /// Who acted.
    PrincipalKind {
        User = "user",
        Build = "build",
        System = "system",
        Anonymous = "anonymous",
    }
}

words! {
    /// Why a tag moved.
    Cause {
        Push = "push",
        Build = "build",
        Delete = "delete",
        Restore = "restore",
    }
}

words! {
    /// What a descriptor in a manifest is.
    EdgeKind {
        Config = "config",
        Layer = "layer",
        Manifest = "manifest",
        Blob = "blob",
    }
}

words! {
    /// Whose it is at the forge, or made here by the operator.
    NamespaceKind {
        User = "user",
        Organization = "organization",
        Local = "local",
    }
}

words! {
    /// Why somebody was let in last.
    Admission {
        SiteAdmin = "site_admin",
        Named = "named",
        Invited = "invited",
        Organization = "organization",
        Everybody = "everybody",
    }
}

words! {
    /// Why somebody has to sign in again before anything works.
    Suspension {
        Lists = "lists",
        Unanswered = "unanswered",
        Left = "left",
    }
}

words! {
    /// What the forge said of somebody in an organisation; *held* waits for an admin.
    MembershipState {
        Member = "member",
        Held = "held",
        Left = "left",
    }
}

words! {
    /// Whether the stored forge token works.
    ConnectionState {
        Active = "active",
        Revoked = "revoked",
    }
}

words! {
    /// Whether the code repository can be reached.
    SourceState {
        Active = "active",
        Unreachable = "unreachable",
        Gone = "gone",
        Disconnected = "disconnected",
    }
}

words! {
    /// Whether the forge tells us of pushes.
    HookState {
        Pending = "pending",
        Active = "active",
        Refused = "refused",
        Missing = "missing",
    }
}

words! {
    /// Whether the Dockerfiles of a listed repository are known.
    ScanState {
        Pending = "pending",
        Done = "done",
        Failed = "failed",
    }
}

words! {
    /// Where a job is. `GaveUp`: its tries are used up, and the hourly look takes it up again; `Failed`: trying is no use.
    /// What is done has no row; `Done` is of a version before.
    JobState {
        Waiting = "waiting",
        Running = "running",
        Done = "done",
        GaveUp = "gave_up",
        Failed = "failed",
    }
}

words! {
    /// Jobs of different lanes do not wait for each other.
    Lane {
        Leases = "leases",
        Logs = "logs",
        Upkeep = "upkeep",
        Deliveries = "deliveries",
        Forge = "forge",
        Listing = "listing",
        Polling = "polling",
        Long = "long",
        Signing = "signing",
    }
}

words! {
    /// Where a build is.
    BuildState {
        Queued = "queued",
        Running = "running",
        Succeeded = "succeeded",
        PartlyFailed = "partly_failed",
        Failed = "failed",
        Cancelled = "cancelled",
        TimedOut = "timed_out",
        Skipped = "skipped",
    }
}

words! {
    /// What started a build.
    Trigger {
        Push = "push",
        Import = "import",
        Manual = "manual",
        Rerun = "rerun",
        Cron = "cron",
    }
}

words! {
    /// How an attempt ended; `Lost` is the end of an attempt, not of a build.
    AttemptEnd {
        Finished = "finished",
        Lost = "lost",
        Cancelled = "cancelled",
    }
}
