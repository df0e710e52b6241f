/* Users, groups and permissions. As root each test continues as an ordinary user. */
#include "check.h"
#include <grp.h>

#define USER 1000
#define GROUP 1000

static void become_user(void)
{
    if (geteuid() != 0)
        return;
    CHECK(setgroups(0, NULL) == 0);
    CHECK(setgid(GROUP) == 0 && setuid(USER) == 0);
    CHECK(getuid() == USER && geteuid() == USER && getgid() == GROUP && getegid() == GROUP);
}

static void root_may_become_a_user_but_not_return(void)
{
    become_user();
    CHECK_ERRNO(setuid(0), EPERM);
    CHECK_ERRNO(setgid(0), EPERM);
    CHECK_ERRNO(setgroups(0, NULL), EPERM);
}

static void the_saved_id_allows_a_return(void)
{
    if (geteuid() != 0)
        return;
    CHECK(seteuid(USER) == 0 && geteuid() == USER && getuid() == 0);
    uid_t real, effective, saved;
    CHECK(getresuid(&real, &effective, &saved) == 0);
    CHECK(real == 0 && effective == USER && saved == 0);
    CHECK(seteuid(0) == 0 && geteuid() == 0);
}

static void groups_are_kept(void)
{
    gid_t wanted[2] = { 7, 8 }, got[8];
    if (geteuid() == 0) {
        CHECK(setgroups(2, wanted) == 0);
        CHECK(getgroups(8, got) == 2 && got[0] == 7 && got[1] == 8);
        CHECK(getgroups(0, NULL) == 2);
        CHECK_ERRNO(getgroups(1, got), EINVAL);
    }
    CHECK(getgroups(0, NULL) >= 0);
}

static void a_file_of_another_user_obeys_its_mode(void)
{
    enter_scratch();
    if (geteuid() != 0)
        return;
    write_file("secret", "s");
    write_file("public", "p");
    CHECK(chmod("secret", 0600) == 0 && chmod("public", 0644) == 0);
    become_user();
    CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
    CHECK_ERRNO(open("public", O_WRONLY), EACCES);
    CHECK_ERRNO(open("public", O_RDONLY | O_TRUNC), EACCES);
    CHECK(open("public", O_RDONLY) >= 0);
    CHECK_ERRNO(access("secret", R_OK), EACCES);
    CHECK_ERRNO(access("public", R_OK | W_OK), EACCES);
    CHECK(access("public", R_OK) == 0 && access("secret", F_OK) == 0);
    CHECK_ERRNO(chmod("public", 0666), EPERM);
    CHECK_ERRNO(chown("public", USER, GROUP), EPERM);
    CHECK_ERRNO(truncate("public", 0), EACCES);
    /* The folder is root's, mode 0755. */
    CHECK_ERRNO(open("new", O_WRONLY | O_CREAT, 0600), EACCES);
    CHECK_ERRNO(unlink("public"), EACCES);
    CHECK_ERRNO(rename("public", "mine"), EACCES);
    CHECK_ERRNO(mkdir("dir", 0755), EACCES);
}

static void owner_group_and_other_are_told_apart(void)
{
    enter_scratch();
    if (geteuid() != 0)
        return;
    write_file("mine", "m");
    write_file("group", "g");
    CHECK(chown("mine", USER, 50) == 0 && chmod("mine", 0077) == 0);
    CHECK(chown("group", 60, GROUP) == 0 && chmod("group", 0606) == 0);
    become_user();
    /* The first class that fits decides, even if a later one would allow more. */
    CHECK_ERRNO(open("mine", O_RDONLY), EACCES);
    CHECK_ERRNO(open("group", O_RDONLY), EACCES);
    CHECK(chmod("mine", 0400) == 0 && open("mine", O_RDONLY) >= 0);
    CHECK_ERRNO(open("mine", O_WRONLY), EACCES);
}

static void a_supplementary_group_counts(void)
{
    gid_t group = 77;
    enter_scratch();
    if (geteuid() != 0)
        return;
    write_file("shared", "s");
    CHECK(chown("shared", 0, group) == 0 && chmod("shared", 0640) == 0);
    CHECK(setgroups(1, &group) == 0 && setgid(GROUP) == 0 && setuid(USER) == 0);
    CHECK(open("shared", O_RDONLY) >= 0);
    CHECK_ERRNO(open("shared", O_WRONLY), EACCES);
}

static void directories_need_search_and_read(void)
{
    enter_scratch();
    if (geteuid() != 0)
        return;
    CHECK(mkdir("search", 0711) == 0 && mkdir("read", 0744) == 0);
    write_file("search/file", "x");
    write_file("read/file", "x");
    become_user();
    CHECK(access("search/file", R_OK) == 0);
    CHECK_ERRNO(open("search", O_RDONLY), EACCES);
    CHECK_ERRNO(access("read/file", R_OK), EACCES);
    CHECK(open("read", O_RDONLY) >= 0);
    CHECK_ERRNO(chdir("read"), EACCES);
}

static void a_sticky_folder_protects_the_files_of_others(void)
{
    enter_scratch();
    if (geteuid() != 0)
        return;
    CHECK(mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0);
    write_file("sticky/roots", "x");
    become_user();
    write_file("sticky/mine", "x");
    CHECK_ERRNO(unlink("sticky/roots"), EPERM);
    CHECK_ERRNO(rename("sticky/roots", "sticky/stolen"), EPERM);
    CHECK(unlink("sticky/mine") == 0);
}

static void a_new_file_belongs_to_its_maker(void)
{
    struct stat info;
    enter_scratch();
    CHECK(chmod(".", 0777) == 0);
    become_user();
    write_file("file", "x");
    CHECK(stat("file", &info) == 0 && info.st_uid == geteuid() && info.st_gid == getegid());
    CHECK(chmod("file", 0) == 0);
    CHECK_ERRNO(open("file", O_RDONLY), EACCES);
    CHECK(unlink("file") == 0);
}

static void a_program_needs_its_execute_bit(void)
{
    char *argv[] = { "x", NULL };
    enter_scratch();
    write_file("program", "#!/bin/sh\n");
    /* Root too: no bit at all means no. */
    CHECK_ERRNO(execv("program", argv), EACCES);
    CHECK_ERRNO(access("program", X_OK), EACCES);
}

static void signals_to_other_users_are_refused(void)
{
    if (geteuid() != 0)
        return;
    pid_t root = getppid();
    become_user();
    CHECK_ERRNO(kill(root, 0), EPERM);
    CHECK_ERRNO(kill(root, SIGTERM), EPERM);
    CHECK(kill(getpid(), 0) == 0);
}

static void root_may_give_files_away(void)
{
    struct stat info;
    enter_scratch();
    if (geteuid() != 0)
        return;
    write_file("file", "x");
    CHECK(chmod("file", 0) == 0 && open("file", O_RDWR) >= 0);
    CHECK(chown("file", 12, 34) == 0 && stat("file", &info) == 0);
    CHECK(info.st_uid == 12 && info.st_gid == 34);
    CHECK(chown("file", (uid_t)-1, 35) == 0 && stat("file", &info) == 0);
    CHECK(info.st_uid == 12 && info.st_gid == 35);
    CHECK(symlink("file", "link") == 0 && lchown("link", 1, 1) == 0);
    CHECK(stat("file", &info) == 0 && info.st_uid == 12);
}

static const struct test tests[] = {
    TEST(root_may_become_a_user_but_not_return),
    TEST(the_saved_id_allows_a_return),
    TEST(groups_are_kept),
    TEST(a_file_of_another_user_obeys_its_mode),
    TEST(owner_group_and_other_are_told_apart),
    TEST(a_supplementary_group_counts),
    TEST(directories_need_search_and_read),
    TEST(a_sticky_folder_protects_the_files_of_others),
    TEST(a_new_file_belongs_to_its_maker),
    TEST(a_program_needs_its_execute_bit),
    TEST(signals_to_other_users_are_refused),
    TEST(root_may_give_files_away),
};

RUN(tests)
